"""SORT and UID SORT (RFC 5256 3).

Law: what is compared is made in a reader's thread, a batch at a time; equal messages stay in their order.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from mailbox_host.header_cuts import MOST_WANTED
from mailbox_host.imap import commands as ask
from mailbox_host.imap.commands import BodyPart, Command, Section
from mailbox_host.imap.effects import Steps, read
from mailbox_host.imap.loading import load_kept
from mailbox_host.imap.masks import View
from mailbox_host.imap.responses import ok, untagged
from mailbox_host.imap.search import find
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import SEARCH_BATCH_MESSAGES
from mailbox_host.imap.sorting import OF_ROWS, VALUES
from store import Reader

# What is kept of each header anyway holds the fields that are compared.
CUT = BodyPart(Section((), "HEADER.FIELDS", tuple(sorted(MOST_WANTED))), b"", peek=True)


def sort(session: Session, command: Command) -> Steps[bytes]:
    asked, selected = command.arguments, session.selected
    assert isinstance(asked, ask.Sort) and selected is not None
    view, found = yield from find(session, selected, asked.key)
    compared: dict[int, tuple[Any, ...]] = {}
    names = [name for name, _ in asked.order]
    for start in range(0, len(found), SEARCH_BATCH_MESSAGES):
        batch = found[start : start + SEARCH_BATCH_MESSAGES]
        headers: dict[int, bytes] = {}
        if not OF_ROWS.issuperset(names):
            headers = yield from load_kept(CUT, [view.rows.bodies[at] for at in batch])
        compared |= yield from read(partial(_values, view, names, batch, headers), long=True)
    found = yield from read(partial(_sorted, found, compared, asked.order), long=True)
    numbers = [view.rows.uids[at] if command.uid else view.places[at] + 1 for at in found]
    yield untagged(b" ".join([b"SORT", *map(b"%d".__mod__, numbers)]))
    return ok("Done")


def _sorted(
    found: list[int], compared: dict[int, tuple[Any, ...]], order: tuple[tuple[str, bool], ...], reader: Reader
) -> list[int]:
    for place, (_, reverse) in reversed(list(enumerate(order))):  # the last key first: sorting is stable
        found = sorted(found, key=lambda at, place=place: compared[at][place], reverse=reverse)  # type: ignore[misc]
    return found


def _values(
    view: View, names: list[str], places: list[int], headers: dict[int, bytes], reader: Reader
) -> dict[int, tuple[Any, ...]]:
    made = {}
    for at in places:
        entry = view.rows.entry(at)
        header = headers.get(entry.body, b"")
        made[at] = tuple(VALUES[name](entry, header) for name in names)
    return made

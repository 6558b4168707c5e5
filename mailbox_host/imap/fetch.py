"""FETCH: in bounded batches, so that a large one neither fills memory nor keeps others waiting (RFC 3501 6.4.5).

Law: at most a batch of rows and one message beyond FETCH_BATCH_OCTETS are held at a time; the next batch is made when
the client has taken this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from mailbox_host import entries
from mailbox_host.entries import SEEN, Entry
from mailbox_host.facts import Facts, facts, keep_facts, made_facts
from mailbox_host.imap import commands as ask
from mailbox_host.imap.change import NO_SUCH_MESSAGE, beyond
from mailbox_host.imap.commands import BodyPart, Command
from mailbox_host.imap.effects import Steps, read, write
from mailbox_host.imap.fetch_response import Form, Row
from mailbox_host.imap.responses import no, ok
from mailbox_host.imap.selected import Selected
from mailbox_host.imap.sequence import positions
from mailbox_host.imap.session import Session
from mailbox_host.imap.settings import FETCH_BATCH_MESSAGES, INLINE_MESSAGES_MAX

_OF_FACTS = frozenset({"ENVELOPE", "BODY", "BODYSTRUCTURE"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What a FETCH shows, and what it takes."""

    form: Form
    needs_facts: bool
    needs_content: bool
    sets_seen: bool
    changed_since: int

    @classmethod
    def of(cls, asked: ask.Fetch, uid: bool, read_only: bool, condstore: bool) -> Plan:
        items = list(asked.items)
        if uid and "UID" not in items:  # RFC 3501 6.4.8
            items.insert(0, "UID")
        if asked.changed_since is not None and "MODSEQ" not in items:
            items.append("MODSEQ")
        parts = [item for item in items if isinstance(item, BodyPart)]
        seen = not read_only and any(not part.peek for part in parts)
        form = Form(items, ("FLAGS", "MODSEQ") if condstore else ("FLAGS",))  # RFC 7162 3.1: changes come with MODSEQ
        return cls(form, not _OF_FACTS.isdisjoint(items), bool(parts), seen, asked.changed_since or 0)


def fetch(session: Session, command: Command) -> Steps[bytes]:
    asked, selected = command.arguments, session.selected
    assert isinstance(asked, ask.Fetch) and selected is not None
    if beyond(selected, asked.messages, command.uid):
        return NO_SUCH_MESSAGE
    if asked.changed_since is not None or "MODSEQ" in asked.items:
        session.enabled.add(b"CONDSTORE")
    plan = Plan.of(asked, command.uid, selected.read_only, b"CONDSTORE" in session.enabled)
    places = positions(selected.find(asked.messages, command.uid))
    missing = False
    for start in range(0, len(places), FETCH_BATCH_MESSAGES):
        complete = yield from _batch(session, selected, plan, places[start : start + FETCH_BATCH_MESSAGES])
        missing = missing or not complete
    if missing and not command.uid:
        return no("Some of the messages no longer exist", "EXPUNGEISSUED")  # RFC 5530 3
    return ok("Done")


def _batch(session: Session, selected: Selected, plan: Plan, places: Sequence[int]) -> Steps[bool]:
    uids = [selected.uids[place] for place in places]
    found = yield from read(lambda reader: entries.by_uids(reader, selected.folder, uids))
    complete = len(found) == len(uids)
    if plan.changed_since:
        found = [entry for entry in found if entry.modseq > plan.changed_since]
    newly_seen: set[int] = set()
    if plan.sets_seen:
        found, newly_seen = yield from _mark_seen(session, selected, found)
    known = (yield from _facts(session, found)) if plan.needs_facts else {}
    yield from _show(plan, _rows(selected, places, uids, found, newly_seen, known))
    return complete


def _rows(
    selected: Selected,
    places: Sequence[int],
    uids: list[int],
    found: list[Entry],
    newly_seen: set[int],
    known: dict[int, Facts],
) -> list[Row]:
    numbers = dict(zip(uids, places, strict=True))
    recent = selected.recent_uids(uids)
    return [
        Row(numbers[entry.uid] + 1, entry, entry.uid in recent, entry.uid in newly_seen, known.get(entry.body))
        for entry in found
    ]


def _mark_seen(session: Session, selected: Selected, found: list[Entry]) -> Steps[tuple[list[Entry], set[int]]]:
    """Fetching a body sets \\Seen (RFC 3501 6.4.5), and the response says so."""
    unseen = [entry.uid for entry in found if not entry.flags & SEEN]
    if not unseen:
        return found, set()
    now = session.clock()
    changed = yield from write(lambda tx: entries.store_flags(tx, selected.folder, unseen, "+", SEEN, frozenset(), now))
    selected.own.update((entry.uid, entry.modseq) for entry in changed)
    fresh = {entry.uid: entry for entry in changed}
    return [fresh.get(entry.uid, entry) for entry in found], set(fresh)


def _facts(session: Session, found: list[Entry]) -> Steps[dict[int, Facts]]:
    bodies = list({entry.body for entry in found})
    long = len(bodies) > INLINE_MESSAGES_MAX
    known = yield from read(lambda reader: facts(reader, bodies), long)
    missing = [body for body in bodies if body not in known]
    if missing:  # made in a reader's thread: the writer only keeps them
        made = yield from read(lambda reader: made_facts(reader, missing), long=True)
        yield from write(lambda tx: keep_facts(tx, made), rings=False)
        known |= made
    return known


def _show(plan: Plan, rows: list[Row]) -> Steps[None]:
    start = 0
    long = plan.needs_content or len(rows) > INLINE_MESSAGES_MAX
    while start < len(rows):
        text, start = yield from read(partial(plan.form.render, rows, start), long)
        yield text

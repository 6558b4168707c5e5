"""What a FETCH needs beside the rows: facts, cut headers, contents, for a whole batch at a time.

Law: what is made from a message alone and kept with it is made in a reader's thread; the writer only keeps it. Values
come in the order of the bodies, None where there is none (yet, or any more): no look-up is made per message.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from mailbox_host import header_cuts
from mailbox_host.facts import keep_facts, made_facts
from mailbox_host.folders import FolderError
from mailbox_host.imap.commands import BodyPart, FetchItem
from mailbox_host.imap.effects import Steps, read, write
from mailbox_host.imap.fetch_response import is_whole, shown_part
from mailbox_host.imap.previews import LAZY, PREVIEW, keep_previews, kept_previews, made_previews, previews_so_far
from mailbox_host.imap.sections import Content, cut_kind
from mailbox_host.imap.settings import FETCH_SHOWN_OCTETS_MAX, INLINE_MESSAGES_MAX
from store import Bodies, Reader, Transaction

Values = Sequence[Any]
Known = dict[FetchItem, Values]

T = TypeVar("T")

FACTS = {"ENVELOPE": "envelope", "BODY": "body_short", "BODYSTRUCTURE": "body_full"}


class TooMuchAtOnce(FolderError):
    """So many parts of so large a message are wanted that they cannot be held."""


def kept(item: FetchItem) -> bool:
    """Tell whether an item shows something that is kept with the body, and may have to be made first."""
    return item in FACTS or item in (PREVIEW, LAZY) or (isinstance(item, BodyPart) and cut_kind(item) > 0)


def find_kept(items: Iterable[FetchItem], bodies: Sequence[int], reader: Reader) -> Known:
    """Read what is kept."""
    return {item: _keepers(item)[0](reader, bodies) for item in items}


def make_kept(items: Iterable[FetchItem], bodies: Sequence[int]) -> Steps[None]:
    """Make what is not kept yet, and keep it."""
    for item in items:
        look, make, keep = _keepers(item)
        found = yield from read(partial(_call, look, bodies), long=True)
        missing = [body for body, value in zip(bodies, found, strict=True) if value is None]
        if missing:
            made = yield from read(partial(_call, make, list(dict.fromkeys(missing))), long=True)
            yield from write(partial(_keep, keep, made), rings=False)


def load_kept(item: FetchItem, bodies: Sequence[int]) -> Steps[dict[int, Any]]:
    """Load one item by body, made first where it is not kept yet."""
    look = partial(_call, _keepers(item)[0], bodies)
    found = yield from read(look, len(bodies) > INLINE_MESSAGES_MAX)
    if None in found:
        yield from make_kept([item], bodies)
        found = yield from read(look, long=True)
    return {body: value for body, value in zip(bodies, found, strict=True) if value is not None}


Look = Callable[[Reader, Sequence[int]], Values]
Make = Callable[[Reader, Sequence[int]], dict[int, Any]]
Keep = Callable[[Transaction, Mapping[int, Any]], None]


def _keepers(item: FetchItem) -> tuple[Look, Make, Keep]:
    """How an item is looked up, made, and kept."""
    if item == PREVIEW:
        return kept_previews, made_previews, keep_previews
    if item == LAZY:
        return previews_so_far, made_previews, keep_previews
    if not isinstance(item, BodyPart):
        return partial(_facts, FACTS[item]), made_facts, keep_facts
    kind, names = cut_kind(item), frozenset(item.section.fields)
    return (
        lambda reader, bodies: header_cuts.kept_cuts(reader, bodies, kind),
        lambda reader, bodies: header_cuts.made_cuts(reader, bodies, names),
        lambda tx, made: header_cuts.keep_cuts(tx, made, kind),
    )


def _call(query: Callable[[Reader, Sequence[int]], T], bodies: Sequence[int], reader: Reader) -> T:
    return query(reader, bodies)


def _keep(keep: Keep, made: Mapping[int, Any], tx: Transaction) -> None:
    keep(tx, made)


def _facts(column: str, reader: Reader, bodies: Sequence[int]) -> list[bytes | None]:
    sql = f"SELECT {column} FROM json_each(?) wanted LEFT JOIN body_facts ON body = wanted.value"
    return [value for (value,) in reader.all(sql, (json.dumps(list(bodies)),))]


def load_contents(items: Sequence[BodyPart], bodies: Sequence[int], reader: Reader) -> Known:
    """Load what is cut from the messages themselves."""
    if all(item.section.text.startswith("HEADER") and not item.section.path for item in items):
        headers = Bodies.read_headers(reader, bodies)
        contents = {body: Content(header, None) for body, header in headers.items()}
        return _cut(items, contents, bodies)
    stored = Bodies.read_many(reader, bodies)
    known: Known = {item: list(map(stored.get, bodies)) for item in items if is_whole(item)}
    if len(known) == len(items):
        return known
    contents = {body: Content(*pair) for body, pair in stored.items()}
    return known | _cut([item for item in items if item not in known], contents, bodies)


def _cut(items: Sequence[BodyPart], contents: Mapping[int, Content], bodies: Sequence[int]) -> Known:
    """A hundred windows into a large message, or parts that hold each other, would be many times the message."""
    known: Known = {}
    octets = 0
    for item in items:
        known[item] = shown = _shown(item, contents, bodies)
        octets += sum(len(value) for value in shown if value is not None)
        if octets > FETCH_SHOWN_OCTETS_MAX:
            raise TooMuchAtOnce("These are too many parts of too large a message, fetch fewer at a time")
    return known


def _shown(item: BodyPart, contents: Mapping[int, Content], bodies: Sequence[int]) -> list[bytes | None]:
    shown = {body: shown_part(content, item) for body, content in contents.items()}
    return list(map(shown.get, bodies))

"""What a FETCH needs beside the rows: facts, cut headers, contents, for a whole batch at a time.

Law: what is made from a message alone and kept with it is made in a reader's thread; the writer only keeps it, and
where it cannot, what was made is shown all the same. Values come in the order of the bodies, None where there is none
(yet, or any more): no look-up is made per message.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from mailbox_host import header_cuts
from mailbox_host.facts import keep_facts, made_facts
from mailbox_host.folders import FolderError
from mailbox_host.imap.commands import BodyPart, FetchItem
from mailbox_host.imap.effects import Steps, read, write
from mailbox_host.imap.fetch_response import is_whole, shown_part
from mailbox_host.imap.previews import LAZY, PREVIEW, keep_previews, kept_previews, made_previews, previews_so_far
from mailbox_host.imap.sections import Content, cut_kind
from mailbox_host.imap.settings import FETCH_SHOWN_OCTETS_MAX, INLINE_MESSAGES_MAX
from store import Bodies, Reader, StoreFull, Transaction

Values = Sequence[Any]
Known = dict[FetchItem, Values]
Made = dict[FetchItem, dict[int, Any]]  # by body

T = TypeVar("T")

FACTS = {  # the column, and which of the facts it is
    "ENVELOPE": ("envelope", attrgetter("envelope")),
    "BODY": ("body_short", attrgetter("body")),
    "BODYSTRUCTURE": ("body_full", attrgetter("bodystructure")),
}


class TooMuchAtOnce(FolderError):
    """So many parts of so large a message are wanted that they cannot be held."""


def kept(item: FetchItem) -> bool:
    """Tell whether an item shows something that is kept with the body, and may have to be made first."""
    return item in FACTS or item in (PREVIEW, LAZY) or (isinstance(item, BodyPart) and cut_kind(item) > 0)


def find_kept(items: Iterable[FetchItem], bodies: Sequence[int], made: Made, reader: Reader) -> Known:
    """Read what is kept; `made`: of what is not."""
    return {item: _filled(_keepers(item).look(reader, bodies), bodies, made.get(item)) for item in items}


def _filled(found: Values, bodies: Sequence[int], made: Mapping[int, Any] | None) -> Values:
    if not made:
        return found
    return [made.get(body) if value is None else value for body, value in zip(bodies, found, strict=True)]


def make_kept(items: Iterable[FetchItem], bodies: Sequence[int]) -> Steps[Made]:
    """Make what is not kept yet, keep it, and return it."""
    shown: Made = {}
    for item in items:
        keepers = _keepers(item)
        found = yield from read(partial(_call, keepers.look, bodies), long=True)
        missing = [body for body, value in zip(bodies, found, strict=True) if value is None]
        if missing:
            made = yield from read(partial(_call, keepers.make, list(dict.fromkeys(missing))), long=True)
            with suppress(StoreFull):
                yield from write(partial(_keep, keepers.keep, made), rings=False)
            shown[item] = {body: keepers.shown(value) for body, value in made.items()}
    return shown


def load_kept(item: FetchItem, bodies: Sequence[int]) -> Steps[dict[int, Any]]:
    """Load one item by body, made first where it is not kept yet."""
    look = partial(_call, _keepers(item).look, bodies)
    found = yield from read(look, len(bodies) > INLINE_MESSAGES_MAX)
    known = {body: value for body, value in zip(bodies, found, strict=True) if value is not None}
    if None in found:
        known |= (yield from make_kept([item], bodies)).get(item, {})
    return known


Look = Callable[[Reader, Sequence[int]], Values]
Make = Callable[[Reader, Sequence[int]], dict[int, Any]]
Keep = Callable[[Transaction, Mapping[int, Any]], None]


class Keepers(NamedTuple):
    """How an item is looked up, made, and kept; and what is shown of what was made."""

    look: Look
    make: Make
    keep: Keep
    shown: Callable[[Any], Any] = lambda made: made


def _keepers(item: FetchItem) -> Keepers:
    if item == PREVIEW:
        return Keepers(kept_previews, made_previews, keep_previews)
    if item == LAZY:
        return Keepers(previews_so_far, made_previews, keep_previews)
    if not isinstance(item, BodyPart):
        column, shown = FACTS[item]
        return Keepers(partial(_facts, column), made_facts, keep_facts, shown)
    kind, names = cut_kind(item), frozenset(item.section.fields)
    return Keepers(
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

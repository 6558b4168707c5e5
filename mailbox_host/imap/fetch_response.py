"""The FETCH responses of a batch, written in one go (RFC 3501 7.4.2).

Law: what an item shows is chosen once per FETCH: a template, and columns of values to put into it. No object is made
per message, and a message of which something is missing is left out: it was expunged by another session meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from mailbox_host.columns import Columns
from mailbox_host.imap.commands import BodyPart, FetchItem, Section
from mailbox_host.imap.responses import date_time, flags, string
from mailbox_host.imap.sections import Content, cut_kind, part_of

Column = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages about to be shown: their numbers and rows, and by body what was read beside: `known` holds a mapping
    for each item that needs one."""

    numbers: Column
    rows: Columns
    recent: frozenset[int] = frozenset()
    known: Mapping[FetchItem, Mapping[int, Any]] = field(default_factory=dict)

    def pick(self, places: Sequence[int]) -> Batch:
        return Batch([self.numbers[place] for place in places], self.rows.pick(places), self.recent, self.known)

    def complete(self) -> Batch:
        """Leave out of what something is missing."""
        bodies = self.rows.bodies
        if all(len(mapping) >= len(set(bodies)) for mapping in self.known.values()):
            return self
        there = [at for at, body in enumerate(bodies) if all(body in mapping for mapping in self.known.values())]
        return self.pick(there)


class Form:
    """How each message is shown."""

    def __init__(self, items: Iterable[FetchItem]) -> None:
        pieces = [_piece(item) for item in items]
        self._template = b"* %d FETCH (" + b" ".join(template for template, _ in pieces) + b")\r\n"
        self._columns = [columns for _, columns in pieces]

    def render(self, batch: Batch) -> bytes:
        columns = [column for columns in self._columns for column in columns(batch)]
        template = self._template
        return b"".join([template % values for values in zip(batch.numbers, *columns, strict=True)])


Piece = tuple[bytes, Callable[[Batch], Sequence[Column]]]


def _piece(item: FetchItem) -> Piece:
    if item in _PIECES:
        return _PIECES[item]
    label = (item.label if isinstance(item, BodyPart) else item.encode("ascii")).replace(b"%", b"%%")
    if is_whole(item):
        return label + b" {%d}\r\n%b%b", lambda batch: _whole(batch, item)
    if isinstance(item, BodyPart) and cut_kind(item):
        return label + b" {%d}\r\n%b", lambda batch: [list(map(len, _known(batch, item))), _known(batch, item)]
    return label + b" %b", lambda batch: [_known(batch, item)]


def is_whole(item: FetchItem) -> bool:
    """Tell whether an item is the message as it is: it is written as it is stored, header and text."""
    return isinstance(item, BodyPart) and item.section == Section() and item.partial is None


def _known(batch: Batch, item: FetchItem) -> Column:
    known = batch.known[item]
    return [known[body] for body in batch.rows.bodies]


def _whole(batch: Batch, item: FetchItem) -> Sequence[Column]:
    contents = _known(batch, item)
    sizes = [len(header) + len(text) for header, text in contents]
    return [sizes, [header for header, _ in contents], [text for _, text in contents]]


def _flags(batch: Batch) -> Sequence[Column]:
    rows = batch.rows
    if not rows.words and not batch.recent:
        names = _flag_names()
        return [[names[bits] for bits in rows.flags]]
    words, recent = rows.words, batch.recent
    return [[flags(bits, words.get(uid, ""), uid in recent) for uid, bits in zip(rows.uids, rows.flags, strict=True)]]


@lru_cache(maxsize=1)
def _flag_names() -> list[bytes]:
    return [flags(bits, "", False) for bits in range(256)]


_PIECES: dict[FetchItem, Piece] = {
    "UID": (b"UID %d", lambda batch: [batch.rows.uids]),
    "FLAGS": (b"FLAGS %b", _flags),
    "INTERNALDATE": (b"INTERNALDATE %b", lambda batch: [[date_time(at) for at in batch.rows.arrivals]]),
    "RFC822.SIZE": (b"RFC822.SIZE %d", lambda batch: [batch.rows.sizes]),
    "EMAILID": (b"EMAILID (M%d)", lambda batch: [batch.rows.bodies]),  # RFC 8474 5.1: the same content, the same id
    "THREADID": (b"THREADID NIL", lambda batch: []),
    "MODSEQ": (b"MODSEQ (%d)", lambda batch: [batch.rows.modseqs]),
}


def shown_part(content: Content, item: BodyPart) -> bytes:
    """Write what a section names."""
    value = part_of(content, item)
    return b"NIL" if value is None else string(value)

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
from mailbox_host.imap.responses import date_time, flags, literal, string
from mailbox_host.imap.sections import Content, cut_kind, part_of

Column = Sequence[Any]

RECENT = 128  # among the flags of a row that is shown; never stored
_WITH_RECENT = bytes(bits | RECENT for bits in range(256))


def with_recent(rows: Columns, spans: Iterable[tuple[int, int]]) -> Columns:
    """Return the same rows, those at these places with RECENT among their flags."""
    shown = rows.flags
    for start, stop in spans:
        shown = shown[:start] + shown[start:stop].translate(_WITH_RECENT) + shown[stop:]
    return rows._replace(flags=shown)


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages about to be shown: their numbers, their rows with RECENT among the flags, and what was read beside, a
    value for each row."""

    numbers: Column
    rows: Columns
    known: Mapping[FetchItem, Column] = field(default_factory=dict)

    def pick(self, places: Sequence[int]) -> Batch:
        known = {item: [values[place] for place in places] for item, values in self.known.items()}
        return Batch([self.numbers[place] for place in places], self.rows.pick(places), known)

    def complete(self) -> Batch:
        """Leave out of what something is missing."""
        lacking = {at for values in self.known.values() if None in values for at, v in enumerate(values) if v is None}
        return self.pick([at for at in range(len(self.numbers)) if at not in lacking]) if lacking else self


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


Piece = tuple[bytes, Callable[[Batch], Sequence[Iterable[Any]]]]


def _piece(item: FetchItem) -> Piece:
    if item in _PIECES:
        return _PIECES[item]
    label = (item.label if isinstance(item, BodyPart) else item.encode("ascii")).replace(b"%", b"%%")
    if is_whole(item):
        return label + b" {%d}\r\n%b%b", lambda batch: _whole(batch, item)
    if isinstance(item, BodyPart) and cut_kind(item):
        return label + b" {%d}\r\n%b", lambda batch: [map(len, batch.known[item]), batch.known[item]]
    return label + b" %b", lambda batch: [batch.known[item]]


def is_whole(item: FetchItem) -> bool:
    """Tell whether an item is the message as it is: it is written as it is stored, header and text."""
    return isinstance(item, BodyPart) and item.section == Section() and item.partial is None and not item.decoded


def _whole(batch: Batch, item: FetchItem) -> Sequence[Column]:
    contents = batch.known[item]
    sizes = [len(header) + len(text) for header, text in contents]
    return [sizes, [header for header, _ in contents], [text for _, text in contents]]


def _flags(batch: Batch) -> Sequence[Column]:
    rows, names = batch.rows, _flag_names()
    words = rows.words
    if not words:
        return [[names[bits] for bits in rows.flags]]
    pairs = zip(rows.uids, rows.flags, strict=True)
    return [[_flags_of(bits, words[uid]) if uid in words else names[bits] for uid, bits in pairs]]


def _flags_of(bits: int, words: str) -> bytes:
    return flags(bits & ~RECENT, words, bool(bits & RECENT))


@lru_cache(maxsize=1)
def _flag_names() -> list[bytes]:
    return [_flags_of(bits, "") for bits in range(256)]


_PIECES: dict[FetchItem, Piece] = {
    "UID": (b"UID %d", lambda batch: [batch.rows.uids]),
    "FLAGS": (b"FLAGS %b", _flags),
    "INTERNALDATE": (b"INTERNALDATE %b", lambda batch: [[date_time(at) for at in batch.rows.arrivals]]),
    "RFC822.SIZE": (b"RFC822.SIZE %d", lambda batch: [batch.rows.sizes]),
    "EMAILID": (b"EMAILID (M%d)", lambda batch: [batch.rows.bodies]),  # RFC 8474 5.1: the same content, the same id
    "THREADID": (b"THREADID NIL", lambda batch: []),
    "PREVIEW (LAZY)": (b"PREVIEW %b", lambda batch: [batch.known["PREVIEW (LAZY)"]]),
    "MODSEQ": (b"MODSEQ (%d)", lambda batch: [batch.rows.modseqs]),
}


def shown_part(content: Content, item: BodyPart) -> bytes:
    """Write what a section names."""
    value = part_of(content, item)
    if item.size:
        return b"%d" % len(value or b"")
    if item.decoded and value and b"\0" in value:  # RFC 3516 4.2: only literal8 can hold it
        return b"~" + literal(value)
    return b"NIL" if value is None else string(value)

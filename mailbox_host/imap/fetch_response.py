"""The FETCH responses of a batch, written (RFC 3501 7.4.2).

Law: what an item shows of a message is a function of that message's row alone; the functions are chosen once per FETCH.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from mailbox_host.entries import Entry
from mailbox_host.facts import Facts
from mailbox_host.imap.commands import BodyPart, FetchItem
from mailbox_host.imap.responses import date_time, flags, string
from mailbox_host.imap.sections import Content, part_of
from mailbox_host.imap.settings import FETCH_BATCH_OCTETS
from store import Reader


class Row(NamedTuple):
    """A message about to be shown."""

    number: int
    entry: Entry
    recent: bool
    newly_seen: bool
    facts: Facts | None
    content: Content | None = None


Write = Callable[[Row], bytes]


class Form:
    """How each message is shown. `changes`: what is added where the FETCH itself has set \\Seen."""

    def __init__(self, items: Iterable[FetchItem], changes: Iterable[str]) -> None:
        shown = tuple(items)
        self._items = [_writer(item) for item in shown]
        self._changes = [_writer(item) for item in changes if item not in shown]
        self._needs_content = any(isinstance(item, BodyPart) for item in shown)

    def render(self, rows: list[Row], start: int, reader: Reader) -> tuple[bytes, int]:
        """Write responses from row `start` on until the batch is full; return them and the row to go on with."""
        pieces: list[bytes] = []
        size = 0
        for at in range(start, len(rows)):
            row = rows[at]
            try:
                piece = self._response(self._with_content(row, reader) if self._needs_content else row)
            except KeyError:  # expunged by another session since its row was read
                continue
            pieces.append(piece)
            size += len(piece)
            if size >= FETCH_BATCH_OCTETS:
                return b"".join(pieces), at + 1
        return b"".join(pieces), len(rows)

    def _response(self, row: Row) -> bytes:
        writers = self._items + self._changes if row.newly_seen else self._items
        return b"* %d FETCH (%b)\r\n" % (row.number, b" ".join([write(row) for write in writers]))

    @staticmethod
    def _with_content(row: Row, reader: Reader) -> Row:
        return row._replace(content=Content(reader, row.entry.body))


def _writer(item: FetchItem) -> Write:
    return _section(item) if isinstance(item, BodyPart) else _WRITERS[item]


def _section(item: BodyPart) -> Write:
    def write(row: Row) -> bytes:
        assert row.content is not None
        value = part_of(row.content, item)
        return item.label + b" " + (b"NIL" if value is None else string(value))

    return write


def _known(row: Row) -> Facts:
    if row.facts is None:
        raise KeyError(row.entry.body)
    return row.facts


_WRITERS: dict[str, Write] = {
    "UID": lambda row: b"UID %d" % row.entry.uid,
    "FLAGS": lambda row: b"FLAGS " + flags(row.entry.flags, row.entry.keywords, row.recent),
    "INTERNALDATE": lambda row: b"INTERNALDATE " + date_time(row.entry.arrival),
    "RFC822.SIZE": lambda row: b"RFC822.SIZE %d" % row.entry.size,
    "MODSEQ": lambda row: b"MODSEQ (%d)" % row.entry.modseq,
    "ENVELOPE": lambda row: b"ENVELOPE " + _known(row).envelope,
    "BODY": lambda row: b"BODY " + _known(row).body,
    "BODYSTRUCTURE": lambda row: b"BODYSTRUCTURE " + _known(row).bodystructure,
}

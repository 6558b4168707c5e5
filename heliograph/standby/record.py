"""What a replica's log is made of, on the wire and on the disk alike: frames of the owner's log, or pages of its file.

Law: a record goes on from a position, and leads to one. Where it does not go on from what is here, or its checksum is
another, it is not taken: so what is cut, altered, repeated or left out is seen.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from store.wal import FRAME_HEAD, Position, Span

MAGIC = b"hg1\n"
# checksum of all that follows; octets that follow the head; kind; page octets; first page of a copy; pages of the
# database; when it was committed; before; after
HEAD = struct.Struct(">4sIIBxxxIIId8sI8s8sI8s")
CHECKED_FROM = 8  # the magic and the checksum itself are not in it
PAGE_OCTETS = frozenset(1 << n for n in range(9, 17))  # what SQLite has


class Kind(enum.IntEnum):
    """FRAMES: of commits. COPY: a copy begins, of so many pages; its frames go on from there. PAGES: of a copy."""

    FRAMES = 1
    COPY = 2
    PAGES = 3


class Bad(ValueError):
    """No record, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Record:
    """`pages`: of the database after it, 0 where the commit goes on in the next record; `first`: where a copy's pages
    belong, counted from 0."""

    kind: Kind
    page_octets: int
    first: int
    pages: int
    at: float
    before: Position
    after: Position
    octets: bytes | memoryview

    @property
    def ends_commit(self) -> bool:
        return self.pages > 0 or self.kind != Kind.FRAMES

    def pack(self) -> bytes:
        place = (*self.before, *self.after)
        fields = (self.kind, self.page_octets, self.first, self.pages, self.at, *place)
        head = bytearray(HEAD.pack(MAGIC, 0, len(self.octets), *fields))
        struct.pack_into(">I", head, 4, _sum(head, self.octets))
        return b"".join((head, self.octets))

    def frames(self) -> Iterator[tuple[int, int]]:
        """Each page's number (from 0), and where in `octets` it begins."""
        step = FRAME_HEAD.size + self.page_octets
        for at in range(0, len(self.octets), step):
            yield FRAME_HEAD.unpack_from(self.octets, at)[0] - 1, at + FRAME_HEAD.size


def of_span(span: Span, page_octets: int, at: float) -> Record:
    return Record(Kind.FRAMES, page_octets, 0, span.pages, at, span.before, span.after, span.octets)


def copy_begins(base: Position, page_octets: int, pages: int, at: float) -> Record:
    return Record(Kind.COPY, page_octets, 0, pages, at, base, base, b"")


def copied(begun: Record, first: int, octets: bytes) -> Record:
    return replace(begun, kind=Kind.PAGES, first=first, octets=octets)


def unpack(octets: bytes | memoryview, at: int = 0) -> Record:
    """Read the record that begins there; raise Bad."""
    if len(octets) - at < HEAD.size:
        raise Bad("it ends in the head of a record")
    head = memoryview(octets)[at : at + HEAD.size]
    magic, told, length, kind, page_octets, first, pages, when, *place = HEAD.unpack(head)
    body = memoryview(octets)[at + HEAD.size : at + HEAD.size + length]
    if magic != MAGIC or len(body) < length or told != _sum(head, body):
        raise Bad("it is damaged, or cut")
    if kind not in Kind.__members__.values() or page_octets not in PAGE_OCTETS:
        raise Bad(f"kind {kind}, pages of {page_octets} octets")
    step = page_octets + (FRAME_HEAD.size if kind == Kind.FRAMES else 0)
    if length % step or (length == 0) != (kind == Kind.COPY):
        raise Bad(f"{length} octets are no pages")
    before, after = Position(*place[:3]), Position(*place[3:])
    frames = after.frame - (before.frame if before.salts == after.salts else 0)
    if (frames * step != length) if kind == Kind.FRAMES else (before != after):
        raise Bad(f"{length} octets do not lead from {before} to {after}")
    return Record(Kind(kind), page_octets, first, pages, when, before, after, body)


def size(record: Record) -> int:
    return HEAD.size + len(record.octets)


def _sum(head: bytes | bytearray | memoryview, octets: bytes | memoryview) -> int:
    return zlib.crc32(octets, zlib.crc32(memoryview(head)[CHECKED_FROM:]))

"""A database's own write-ahead log, read beside SQLite.

Law: only committed frames are read. How many there are stands in the index of the log (`-shm`), which the writer's
thread reads after its own COMMIT: then nobody writes there. In a frame are the sums over all frames before it, so
equal positions mean equal logs. The files stay open as long as SQLite has them: closing a file drops every lock that
the process holds on it (POSIX).

https://www.sqlite.org/fileformat2.html#walformat, https://www.sqlite.org/walformat.html (the index)
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

FILE_HEAD_OCTETS = 32
FRAME_HEAD = struct.Struct(">II8s8s")  # page, pages of the database (in the last frame of a commit, else 0), salts, sum
INDEX_HEAD = struct.Struct("=IIIBBHII8s8s8s")  # version, -, changes, made, byte order, page size, frames, pages, ...
INDEX_VERSION = 3_007_000


class Position(NamedTuple):
    """A place in a log: after so many frames, the last of which has this sum. A log that begins anew has new salts."""

    salts: bytes
    frame: int
    sum: bytes


START = Position(bytes(8), 0, bytes(8))


@dataclass(frozen=True, slots=True)
class Span:
    """Frames as they stand in the log. `pages`: how many the database has after them; 0: the commit goes on."""

    before: Position
    after: Position
    pages: int
    octets: bytes


class Unreadable(Exception):
    """The log is not what it is read as: a fault of ours, or another SQLite."""


class Wal:
    """The log of an open database. Open it while a connection is open, close it after the last one was closed."""

    def __init__(self, database: Path, page_octets: int) -> None:
        self.page_octets = page_octets
        self.frame_octets = FRAME_HEAD.size + page_octets
        flags = os.O_RDONLY | os.O_CLOEXEC
        self._file = os.open(database, flags)
        self._log = os.open(f"{database}-wal", flags)
        self._index = os.open(f"{database}-shm", flags)

    def close(self) -> None:
        for file in (self._index, self._log, self._file):
            os.close(file)

    def position(self) -> Position:
        """Return where the last commit ended; in the writer's thread, between transactions."""
        read = os.pread(self._index, INDEX_HEAD.size, 0)
        version, _, _, made, _, _, frames, _, _, salts, _ = INDEX_HEAD.unpack(read)
        if version != INDEX_VERSION or not made:
            raise Unreadable(f"the index of the log has version {version}")
        return self._at(salts, frames)

    def has(self, position: Position, now: Position) -> bool:
        """Tell whether a position lies in the log as it is now.

        A log that nobody has written to yet has no salts: each of those looks like the other.
        """
        if position.salts == START.salts or position.salts != now.salts or position.frame > now.frame:
            return False
        return self._at(position.salts, position.frame).sum == position.sum

    def is_first(self, now: Position) -> bool:
        """Whether this log is the first since its file was made: everything since then is in it."""
        if now.salts == START.salts:
            return True
        head = os.pread(self._log, FILE_HEAD_OCTETS, 0)
        begun_anew, salts = struct.unpack_from(">I8s", head, 12) if len(head) == FILE_HEAD_OCTETS else (1, b"")
        return bool(begun_anew == 0 and salts == now.salts)

    def octets(self, before: Position, after: Position) -> int:
        """How many there are between two positions."""
        return (after.frame - _first(before, after)) * self.frame_octets

    def read(self, before: Position, after: Position, octets_max: int) -> Iterator[Span]:
        """Return the frames between two positions of the same log, or from the start of a new one, in pieces."""
        at, frames_max = before, max(octets_max // self.frame_octets, 1)
        while self.octets(at, after):
            first = _first(at, after)
            count = min(frames_max, after.frame - first)
            octets = self._frames(first, count)
            _, pages, salts, total = FRAME_HEAD.unpack_from(octets, len(octets) - self.frame_octets)
            if not salts == after.salts == FRAME_HEAD.unpack_from(octets)[2]:  # a new log overwrites from its start
                raise Unreadable(f"frames {first} to {first + count} are of another log")
            then = Position(salts, first + count, total)
            yield Span(at, then, pages, octets)
            at = then

    def read_pages(self, offset: int, octets: int) -> bytes:
        """Read of the database file itself. Only while checkpoints are held does it stand still."""
        return os.pread(self._file, octets, offset)

    def file_octets(self) -> int:
        return os.fstat(self._file).st_size

    def _at(self, salts: bytes, frame: int) -> Position:
        if frame == 0:
            return Position(salts, 0, bytes(8))
        head = os.pread(self._log, FRAME_HEAD.size, self._offset(frame - 1))
        if len(head) < FRAME_HEAD.size:
            raise Unreadable(f"there is no frame {frame}")
        return Position(salts, frame, FRAME_HEAD.unpack(head)[3])

    def _frames(self, first: int, count: int) -> bytes:
        octets = os.pread(self._log, count * self.frame_octets, self._offset(first))
        if len(octets) < count * self.frame_octets:
            raise Unreadable(f"frames {first} to {first + count} are not there")
        return octets

    def _offset(self, frame: int) -> int:
        return FILE_HEAD_OCTETS + frame * self.frame_octets


def _first(before: Position, after: Position) -> int:
    return before.frame if before.salts == after.salts else 0

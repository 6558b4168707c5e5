"""The logs of a replica: records, one after the other, in numbered files of some size.

Law: what `append` returned for is on disk. What a crash or a full disk left behind the last whole commit is cut off: it
was never acknowledged.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from heliograph.standby.record import Bad, Record, size, unpack
from store.durable_files import flush_folder
from store.wal import Position


def log_path(folder: Path, number: int) -> Path:
    return folder / f"pages-{number}.log"


def log_numbers(folder: Path) -> list[int]:
    """Which logs are there, in order."""
    found = (path.name.removeprefix("pages-").removesuffix(".log") for path in folder.glob("pages-*.log"))
    return sorted(int(name) for name in found if name.isdigit())


def records(octets: bytes | memoryview | mmap.mmap) -> Iterator[Record]:
    """Read records as long as they are sound."""
    view, at = memoryview(octets), 0
    while at < len(view):
        try:
            record = unpack(view, at)
        except Bad:
            return
        yield record
        at += size(record)


class PageLog:
    """One log, open for more. For one thread."""

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self.octets = 0  # up to the last whole commit, and what came of the next one
        self._path = log_path(folder, number)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._kept = 0  # octets up to the last whole commit
        flush_folder(folder)

    def close(self) -> None:
        os.close(self._file)
        self._file = -1  # its number may be another file's now

    def load(self, reached: Position, as_of: float) -> tuple[Position, float]:
        """Find where the commits in it end, cut off what follows; return where and when that is."""
        at, now, when = 0, reached, as_of
        for record in records(map_file(self._path)):
            if record.before != now:
                break
            at, now = at + size(record), record.after
            if record.ends_commit:
                self._kept, reached, when = at, now, record.at
        self.cut()
        return reached, when

    def append(self, packed: Sequence[tuple[bytes, bool]]) -> None:
        """Write records, each with whether it ends a commit, and flush; OSError leaves what was there.

        What could not be flushed is cut off and comes again: the system may have let go of it and not say so twice.
        """
        kept = self._kept
        try:
            for octets, ends_commit in packed:
                self._write(octets)
                self._kept = self.octets if ends_commit else self._kept
            os.fdatasync(self._file)
        except OSError:
            self._kept = kept
            self.cut()
            raise

    def cut(self) -> None:
        """Let go of what came of a commit that did not end."""
        self.octets = self._kept
        os.ftruncate(self._file, self._kept)

    @property
    def is_whole(self) -> bool:
        """Whether it ends with a commit."""
        return self.octets == self._kept

    def _write(self, octets: bytes) -> None:
        view = memoryview(octets)
        while view:
            written = os.pwrite(self._file, view, self.octets)
            self.octets += written
            view = view[written:]


def map_file(path: Path) -> bytes | mmap.mmap:
    """A file's octets without reading them into memory: a log may hold one very long commit."""
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if length else b""

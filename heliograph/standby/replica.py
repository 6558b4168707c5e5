"""One owner's replica on this disk: a database file, and logs of what it lacks.

Law: redo is idempotent: a log is put into the file as often as it takes, and only when the file is flushed does the
position say so, and the log goes. A whole replica stays whole: a new copy of it is collected in logs, as differences,
until the last of it is here. Nothing here knows of streams; all of it blocks.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from heliograph.database import FILE_NAME as DATABASE
from heliograph.standby.page_log import PageLog, log_numbers, log_path, map_file, records
from heliograph.standby.place import Place, read_place, write_place
from heliograph.standby.record import Bad, Kind, Record
from store.wal import Position

LOG_OCTETS = 32 << 20  # then it is put into the file: most pages are written again and again, and put there once
CHUNK_OCTETS = 256 << 10  # of a copy: compared by digest, sent where it differs
DIGEST_OCTETS = 16


def digest(chunk: bytes) -> bytes:
    return blake2b(chunk, digest_size=DIGEST_OCTETS).digest()


def found_place(folder: Path) -> Place:
    """Return how far a replica is without its logs.

    A database that an operator put here is a good beginning for a copy, and as good as none to its owner.
    """
    if place := read_place(folder):
        return place
    path = folder / DATABASE
    return Place("", True, as_of=path.stat().st_mtime) if path.exists() else Place()


@dataclass(slots=True)
class _Copy:
    """A copy under way. `first`: its first log; `aside`: there is a whole replica, which stays until this one is."""

    begun: Record
    first: int
    aside: bool


class Replica:
    """`append`, `begin`, `end`, `cut` and `seal` from one thread at a time; `apply` may run beside them in another, but
    for a copy under way."""

    def __init__(self, folder: Path) -> None:
        """Read what is there; a log's end that was never acknowledged goes."""
        self.folder = folder
        self.path = folder / DATABASE
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.place = found_place(folder)
        self.reached, self.as_of = self.place.base, self.place.as_of
        self.chunks_seen = 0  # of the copy
        self._copy: _Copy | None = None
        self._log = self._load()
        self._now = self.reached  # with what came of a commit that did not end yet

    def close(self) -> None:
        self._log.close()

    @property
    def copying(self) -> bool:
        return self._copy is not None

    @property
    def pages_copied(self) -> int:
        """Of how many pages the database is that is being copied."""
        return self._copy.begun.pages if self._copy else 0

    @property
    def sealed(self) -> int:
        """How many logs are complete and can be put into the file."""
        return 0 if self._copy else self._log.number - self.place.first

    @property
    def log_octets(self) -> int:
        """How much is here that the file lacks, roughly."""
        return max(self._log.number - self.place.first, 0) * LOG_OCTETS + self._log.octets

    # --- what comes

    def append(self, packed: list[bytes], found: list[Record]) -> None:
        """Take records that were read from these octets, durably; Bad where one does not go on from what is here."""
        now, to_log = self._now, []
        for octets, record in zip(packed, found, strict=True):
            if record.before != now or record.kind == Kind.COPY or (record.kind == Kind.PAGES and not self._copy):
                raise Bad(f"{record.kind.name.lower()} from {record.before} does not go on from {now}")
            now = record.after
            if record.kind == Kind.PAGES and not (self._copy and self._copy.aside):
                _write(self.path, [(record.first * record.page_octets, record.octets)])
            else:
                to_log.append((octets, record.ends_commit))
        if to_log:
            self._log.append(to_log)
        self._note(now, found)
        if self._log.octets > LOG_OCTETS:
            self.seal()

    def begin(self, database: str, packed: bytes, record: Record) -> None:
        """Begin a copy. Everything that is here must be in the file; where it is whole, it is left alone."""
        if record.kind != Kind.COPY or self.sealed or self._log.octets:
            raise Bad("a copy begins over logs")
        if self.place.whole:
            self._next_log()
            self._log.append([(packed, True)])
        else:
            self._put(Place(database, False, self._log.number, record.after))
            _write(self.path, [], record.pages * record.page_octets)
        self.chunks_seen = 0
        self._copy = _Copy(record, self._log.number, self.place.whole)
        self.reached = self._now = record.after

    def lacks(self, first: int, digests: list[bytes]) -> list[int]:
        """Tell which chunks of the file, from the first on, are not these."""
        found = []
        with self.path.open("rb") as file:
            file.seek(first * CHUNK_OCTETS)
            for number, told in enumerate(digests):
                if digest(file.read(CHUNK_OCTETS)) != told:
                    found.append(number)
        self.chunks_seen = first + len(digests)
        return found

    def end(self, database: str) -> None:
        """All of the copy is here, and all commits up to a later one: from now on this is the replica."""
        copy = self._copy
        if copy is None or self._now != self.reached:
            raise Bad("there is no copy, or it ends in a commit")
        if not copy.aside:
            _write(self.path, [], flush=True)
        self._put(Place(database, True, copy.first, copy.begun.after, copy.begun.at))
        self._copy = None

    def cut(self) -> None:
        """The stream has ended: what did not come whole goes."""
        if self._copy:
            self._log.close()
            self._copy = None
            self.reached, self.as_of = self.place.base, self.place.as_of
            self._log = self._load()
        else:
            self._log.cut()
        self._now = self.reached

    # --- and is put into the file

    def seal(self) -> bool:
        """Begin another log, so that this one can be put into the file; False in the middle of a commit."""
        if not self._log.is_whole:
            return False
        if self._log.octets:
            self._next_log()
        return True

    def apply(self) -> None:
        """Put what is sealed into the file."""
        while not self._copy and self.place.first < self._log.number:
            number = self.place.first
            self._redo(number)
            log_path(self.folder, number).unlink(missing_ok=True)

    def _redo(self, number: int) -> None:
        found = list(records(map_file(log_path(self.folder, number))))
        pages: dict[int, memoryview] = {}
        base, as_of, length = self.place.base, self.place.as_of, None
        for record in found:
            base, as_of = record.after, record.at
            if record.kind == Kind.PAGES:
                step = record.page_octets
                whole = memoryview(record.octets)
                pages |= {record.first + at // step: whole[at : at + step] for at in range(0, len(whole), step)}
            elif record.kind == Kind.FRAMES:
                whole = memoryview(record.octets)
                pages |= {page: whole[at : at + record.page_octets] for page, at in record.frames()}
            if record.kind != Kind.PAGES and record.ends_commit:
                length = record.pages * record.page_octets
        if found:
            step = found[0].page_octets
            _write(self.path, [(page * step, pages[page]) for page in sorted(pages)], length, flush=True)
        self._put(replace(self.place, first=number + 1, base=base, as_of=as_of))

    def _put(self, place: Place) -> None:
        """It is so when it is on disk."""
        write_place(self.folder, place)
        self.place = place

    # --- logs

    def _load(self) -> PageLog:
        """Follow the logs from the first on; what does not go on is of a copy that did not end, or was never told."""
        number = self.place.first
        for left in log_numbers(self.folder):
            if left < number or not self.place.whole:
                log_path(self.folder, left).unlink()
        log = PageLog(self.folder, number)
        self.reached, self.as_of = log.load(self.reached, self.as_of)
        while log.octets and log_path(self.folder, number + 1).exists():
            log.close()
            number += 1
            log = PageLog(self.folder, number)
            self.reached, self.as_of = log.load(self.reached, self.as_of)
        for left in log_numbers(self.folder):
            if left > number:
                log_path(self.folder, left).unlink()
        return log

    def _next_log(self) -> None:
        log = PageLog(self.folder, self._log.number + 1)
        self._log.close()
        self._log = log

    def _note(self, now: Position, found: list[Record]) -> None:
        self._now = now
        for record in found:
            if record.ends_commit:
                self.reached, self.as_of = record.after, record.at


def _write(
    path: Path, pieces: list[tuple[int, bytes | memoryview]], length: int | None = None, flush: bool = False
) -> None:
    """Write into a file, give it a length."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for offset, octets in pieces:
            if os.pwrite(file, octets, offset) != len(octets):
                raise OSError(errno.ENOSPC, "no space left")
        if length is not None:
            os.ftruncate(file, length)
        if flush:
            os.fsync(file)
    finally:
        os.close(file)

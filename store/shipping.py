"""What leaves the writer for a standby: each commit's frames, right after it, and the database as a whole.

Law: once a checkpoint has copied all of the log, the next commit writes over it. So checkpoints are made here, after a
commit was read, or they are held, and then the log ends in a commit that no checkpoint has copied. Nothing here fails a
commit: a standby that is lost is found again.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from store.ending import note_end
from store.telling import Terms
from store.transaction import Transaction
from store.wal import START, Position, Span, Unreadable, Wal
from store.writer import CHECKPOINT_PAGES, Writer, nothing

log = logging.getLogger("store")

SPAN_OCTETS_MAX = 8 << 20  # read and sent in one piece; a commit may be longer
ON_THEIR_WAY_OCTETS_MAX = 32 << 20  # read and not yet sent: beyond it the log itself is the queue, and is held
AT_ONCE_OCTETS_MAX = 48 << 20  # read in the writer's thread, which takes some 20 ms: more than a log usually holds
HELD_OCTETS_MIN = 1 << 30  # so long the log may grow while it is held, or as long as the database itself


@dataclass(frozen=True, slots=True)
class Shipment:
    """A commit. `spans`: its frames, none where it changed nothing; None: too much waits, read it from the log, whose
    checkpoints are held from here on; or it `is_lost`: it cannot be read there. Nothing comes after either."""

    number: int
    spans: Sequence[Span] | None
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """The log and the file while checkpoints are held: `position` is where the last commit ended; `ended`: where the
    log before this one did, if everything since then is in this one."""

    position: Position
    number: int
    wal: Wal
    ended: Position | None

    def goes_on_from(self, there: Position) -> bool:
        """Tell whether everything since that position can be read."""
        return there == self.ended or self.wal.has(there, self.position)


class Shipping:
    """A standby's end of the writer. One at a time."""

    def __init__(self, path: Path, writer: Writer, ended: Position | None = None) -> None:
        self._path, self._writer, self._ended = path, writer, ended
        self._wal: Wal | None = None
        self._take: Callable[[Shipment], object] | None = None
        self._last: Position | None = None
        self._holds = False
        self._shipped = self._sent = 0  # octets; the first is the writer's, the second the loop's

    @property
    def reads_along(self) -> bool:
        """Whether files of the database were opened."""
        return self._wal is not None

    def end_of_log(self) -> Position | None:
        """Return where the log ended, as far as anybody wants to know; while a connection is open and nobody writes."""
        if self._wal is None:
            return None
        now = self._wal.position()
        return self._ended if now == START else now  # nothing was written since

    @property
    def page_octets(self) -> int:
        assert self._wal is not None
        return self._wal.page_octets

    def close(self, end: Position | None) -> None:
        """After the last connection was closed."""
        if self._wal and end:
            self._wal.close()
            self._wal = None
            with contextlib.suppress(OSError):  # then everything is compared
                note_end(self._path, end)

    # --- who is told when

    def agree(self, terms: Terms | None) -> None:
        """Tell callers under these terms from now on."""
        self._writer.telling.agree(terms)

    def end(self) -> None:
        """The host ends: who waits is told as if the standby never answered."""
        self._writer.telling.give_up()

    def held(self, number: int) -> bool:
        """The standby holds all commits up to this; return whether it was behind."""
        return self._writer.telling.held(number)

    def look(self, now: float) -> bool:
        """Return whether the standby is behind since now (by the monotonic clock)."""
        return self._writer.telling.look(now)

    @property
    def is_behind(self) -> bool:
        return self._writer.telling.is_behind

    # --- what is sent

    def hold(self) -> Future[Held]:
        """Hold checkpoints, until `go_live` or `stop`."""
        return self._writer.between(self._hold)

    def go_live(self, position: Position, take: Callable[[Shipment], object]) -> Future[Shipment]:
        """From now on pass every commit on, in the writer's thread; return what came after the position until now.

        Where that cannot be, nothing has changed: it is too much, or, unless checkpoints are held, not there any more.
        """
        return self._writer.between(lambda tx: self._go_live(tx, position, take))

    def is_too_long(self, held: Held) -> bool:
        """Whether the log has grown more than may be, while it was held."""
        octets = held.position.frame * held.wal.frame_octets
        return octets > max(HELD_OCTETS_MIN, held.wal.file_octets())

    def sent(self, octets: int) -> None:
        """So many octets of shipments have left."""
        self._sent += octets

    def stop(self) -> Future[None]:
        """Pass nothing on, hold nothing."""
        return self._writer.between(self._stop)

    # --- in the writer's thread

    def _hold(self, tx: Transaction) -> Held:
        wal = self._open(tx)
        if not self._holds:
            self._checkpoint_by_itself(tx, 0)
            row = tx.one("PRAGMA user_version")
            assert row is not None
            tx.execute(f"PRAGMA user_version = {row[0]}").fetchall()  # a commit that changes nothing, and is not copied
            self._holds = True
        return self._held(wal)

    def _held(self, wal: Wal) -> Held:
        now = wal.position()
        return Held(now, self._writer.commits, wal, self._ended if wal.is_first(now) else None)

    def _open(self, tx: Transaction) -> Wal:
        if self._wal is None:
            row = tx.one("PRAGMA page_size")
            assert row is not None
            self._wal = Wal(self._path, int(row[0]))
        return self._wal

    def _go_live(self, tx: Transaction, position: Position, take: Callable[[Shipment], object]) -> Shipment:
        wal = self._open(tx)
        held = self._held(wal)
        if not self._holds and not held.goes_on_from(position):
            return Shipment(held.number, None, is_lost=True)
        if wal.octets(position, held.position) > AT_ONCE_OCTETS_MAX:
            return Shipment(held.number, None)
        spans = list(wal.read(position, held.position, SPAN_OCTETS_MAX))
        self._last, self._take = spans[-1].after if spans else position, take
        self._shipped = self._sent = 0
        self._holds = False
        self._checkpoint_by_itself(tx, 0)
        self._writer.after_commit = self._ship
        return Shipment(held.number, spans)

    def _ship(self, tx: Transaction, number: int) -> None:
        """Pass a commit on."""
        assert self._wal is not None and self._last is not None and self._take is not None
        try:
            shipment = Shipment(number, self._read(tx, self._wal, self._last))
        except (OSError, Unreadable, sqlite3.Error):
            log.exception("a commit cannot be read from the log: the standby is lost, and found again")
            shipment = Shipment(number, None, is_lost=True)
        if shipment.spans is None:
            self._writer.after_commit = nothing
        with contextlib.suppress(RuntimeError):  # a closed loop: the host ends
            self._take(shipment)

    def _read(self, tx: Transaction, wal: Wal, last: Position) -> list[Span] | None:
        now = wal.position()
        octets = wal.octets(last, now)
        if octets == 0:
            return []
        if self._shipped - self._sent + octets > ON_THEIR_WAY_OCTETS_MAX:
            self._holds = True  # no checkpoint has seen this commit yet
            return None
        spans = list(wal.read(last, now, SPAN_OCTETS_MAX))
        self._shipped += octets
        self._last = now
        if now.frame >= CHECKPOINT_PAGES:
            tx.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return spans

    def _stop(self, tx: Transaction) -> None:
        self._writer.after_commit = nothing
        self._holds = False
        self._checkpoint_by_itself(tx, CHECKPOINT_PAGES)

    def _checkpoint_by_itself(self, tx: Transaction, pages: int) -> None:
        """Let SQLite make a checkpoint in a commit, when the log has so many pages; 0: never."""
        tx.execute(f"PRAGMA wal_autocheckpoint = {pages}").fetchall()

"""What leaves the writer for a standby: each commit's frames, right after it, and the database as a whole.

Law: a checkpoint may let the log begin anew, and with it goes what nobody has read; so either every commit is read
before the next one begins, or checkpoints are held. Nothing here fails a commit: a standby that is lost is found again.
"""

from __future__ import annotations

import contextlib
import logging
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
HELD_OCTETS_MIN = 1 << 30  # so long the log may grow while it is held, or as long as the database itself


@dataclass(frozen=True, slots=True)
class Shipment:
    """A commit. `spans`: its frames, none where it changed nothing; None: too much waits, read it from the log, whose
    checkpoints are held from here on; or it `is_lost`. Nothing comes after either."""

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

        Where that is too much, checkpoints are still held: come nearer, and try again.
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
        self._let_checkpoint(tx, False)
        wal = self._open(tx)
        now = wal.position()
        return Held(now, self._writer.commits, wal, self._ended if wal.is_first(now) else None)

    def _open(self, tx: Transaction) -> Wal:
        if self._wal is None:
            row = tx.one("PRAGMA page_size")
            assert row is not None
            self._wal = Wal(self._path, int(row[0]))
        return self._wal

    def _go_live(self, tx: Transaction, position: Position, take: Callable[[Shipment], object]) -> Shipment:
        wal, number = self._open(tx), self._writer.commits
        now = wal.position()
        if wal.octets(position, now) > SPAN_OCTETS_MAX:
            return Shipment(number, None)
        spans = list(wal.read(position, now, SPAN_OCTETS_MAX))
        self._last, self._take = spans[-1].after if spans else position, take
        self._shipped = self._sent = 0
        self._writer.after_commit = self._ship
        self._let_checkpoint(tx, True)
        return Shipment(number, spans)

    def _ship(self, tx: Transaction, number: int) -> None:
        """Pass a commit on."""
        assert self._wal is not None and self._last is not None and self._take is not None
        try:
            shipment = Shipment(number, self._read(tx, self._wal, self._last))
        except (OSError, Unreadable):
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
            self._let_checkpoint(tx, False)
            return None
        self._shipped += octets
        self._last = now
        return list(wal.read(last, now, SPAN_OCTETS_MAX))

    def _stop(self, tx: Transaction) -> None:
        self._writer.after_commit = nothing
        self._let_checkpoint(tx, True)

    def _let_checkpoint(self, tx: Transaction, may: bool) -> None:
        tx.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES if may else 0}").fetchall()

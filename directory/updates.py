"""Dynamic updates at the primary: signed, judged as a whole, written into the operator's file, then served.

Law: an answer of NOERROR means that the change is on disk. A replayed update could undo a later one, so whatever was
signed is done once: its MAC is remembered while its time is within the fudge, and its answer given again; what was
signed before this server started is refused, for that memory is younger.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from directory import wire
from directory.answers import refusal
from directory.tsig import FUDGE_SECONDS, Asked
from directory.update import Refused, Update, read_update

log = logging.getLogger(__name__)

REMEMBERED_MAX = 10_000  # answers, some 300 octets each: 16 updates a second for as long as they count

Outcome = Refused | None  # None: done
Change = Callable[[Update], Awaitable[Outcome]]


@dataclass(slots=True)
class Seen:
    """The answers to what was signed of late, by MAC. `since`: when this memory began."""

    since: int
    _answers: dict[bytes, tuple[int, int]] = field(default_factory=dict)  # MAC -> (when it may go, code)

    def answer(self, mac: bytes) -> int | None:
        """The code that the same octets got before."""
        known = self._answers.get(mac)
        return known[1] if known else None

    def has_room(self, now: float) -> bool:
        for mac in [mac for mac, (until, _) in self._answers.items() if until < now]:
            del self._answers[mac]
        return len(self._answers) < REMEMBERED_MAX

    def remember(self, asked: Asked, rcode: int) -> None:
        self._answers[asked.mac] = (asked.when + FUDGE_SECONDS, rcode)


class Updates:
    """Takes UPDATE messages. `may_change`: the names of the keys that may; `change` carries one out."""

    def __init__(self, origin: bytes, may_change: frozenset[bytes], change: Change, clock: Callable[[], float]) -> None:
        self._origin, self._may_change, self._change, self._clock = origin, may_change, change, clock
        self._seen = Seen(int(clock()))
        self._lock = asyncio.Lock()

    async def answer(self, asked: Asked, source: str) -> bytes:
        """Carry out what may be, and answer it (RFC 2136 3.8)."""
        async with self._lock:  # a repeat finds the answer, not the work half done
            rcode = self._seen.answer(asked.mac) if asked.key else None
            if rcode is None:
                rcode = await self._answer_first(asked, source)
        return refusal(asked.message, rcode)

    async def _answer_first(self, asked: Asked, source: str) -> int:
        refused = self._forbidden(asked) or await self._carry_out(asked)
        if refused:
            log.warning("dns: an update by %s is refused: %s", _who(asked, source), refused.reason)
            return refused.rcode
        log.info("dns: an update by %s is done", _who(asked, source))
        return wire.NOERROR

    def _forbidden(self, asked: Asked) -> Refused | None:
        if asked.key is None:
            return Refused(wire.REFUSED, "it is not signed")
        if asked.key.name not in self._may_change:
            return Refused(wire.REFUSED, "its key is none of update_keys")
        if asked.when < self._seen.since:
            return Refused(wire.REFUSED, "it was signed before this server started: send it again")
        if not self._seen.has_room(self._clock()):
            return Refused(wire.SERVFAIL, "too many updates in five minutes")
        return None

    async def _carry_out(self, asked: Asked) -> Outcome:
        update = read_update(asked.message, self._origin)
        outcome = update if isinstance(update, Refused) else await self._change(update)
        if outcome is None or outcome.rcode != wire.SERVFAIL:  # that one may be tried again as it is
            self._seen.remember(asked, outcome.rcode if outcome else wire.NOERROR)
        return outcome


def _who(asked: Asked, source: str) -> str:
    return f"{wire.text_of(asked.key.name)} from {source}" if asked.key else source

"""A lost host's own part: it owns nothing, asks its heir what was adopted of its queue, and gives what only it has.

Law: nothing of its queue goes out before the heir has answered: a stranger's mailbox tells no repeat from a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import Any, Protocol

from heliograph.moving.demoting import demote_now, forget_coming
from heliograph.moving.frames import Word
from heliograph.moving.line import Line
from heliograph.moving.mover import Mover, Opens
from heliograph.moving.parties import Party
from heliograph.ownership.holding import ACQUIRING, DEMOTED
from heliograph.shelves.taking_back import take_posts_back
from heliograph.standby.steps import HELD, RETURNED, row_of, set_step
from spool.adopting import drop_adopted, numbers_upto
from store import StoreFull, Transaction

log = logging.getLogger("heliograph.standby")

PURPOSE = "inherited"
AGAIN_SECONDS = 2.0  # after a heir that does not answer, or is not through
MESSAGES_AT_ONCE = 500


class Runs(Protocol):
    """The queue's runner."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def give_up(self, name: str) -> None: ...


class Homecoming:
    """This host's, if the zone says that it is lost."""

    runner: Runs  # is set once there is one

    def __init__(self, party: Party, mover: Mover, streams: Opens) -> None:
        self._party, self._mover, self._streams = party, mover, streams
        self._asks: asyncio.Task[None] | None = None
        self._why = ""

    @property
    def is_held(self) -> bool:
        """Tell whether its queue waits for the heir's answer, and all that it has with it."""
        row = row_of(self._party, self._party.host)
        return row is not None and row[0] == HELD

    def word(self) -> dict[str, Any]:
        """For `status`: nothing, where nothing is left to give back."""
        left = sum(one.state == DEMOTED for one in self._party.ownership.held())
        return {"left": left, "held": self.is_held, "why": self._why} if left or self.is_held else {}

    async def look(self) -> None:
        """Cease to be an owner, where the zone says so, and ask the heir."""
        await self.demote()
        if self.is_held and self._asks is None:
            await self.runner.stop()
            self._asks = asyncio.create_task(self._ask(), name="homecoming")

    async def stop(self) -> None:
        if self._asks:
            self._asks.cancel()
            await asyncio.gather(self._asks, return_exceptions=True)

    async def demote(self) -> None:
        """Own nothing, where the zone says so."""
        party = self._party
        heir = party.zone().lost.get(party.host)
        if heir is None:
            return
        for peer in {one.peer for one in party.ownership.held() if one.state == ACQUIRING}:
            await forget_coming(party, peer)
        count = await party.store.write(partial(self._demote_now, heir))
        if count:
            log.error("the zone says that this host is lost: %d buckets are given up, %s has them", count, heir)

    def _demote_now(self, heir: str, tx: Transaction) -> int:
        party = self._party
        count = demote_now(party, tx, party.ownership.held(), heir)
        if count or tx.one("SELECT 1 FROM inheritance WHERE host = ?", (party.host,)) is None:
            set_step(party.host, HELD, tx)  # what is queued from here on the heir cannot have
            tx.execute("UPDATE inheritance SET upto = ? WHERE host = ?", (numbers_upto(tx), party.host))
        return count

    async def _ask(self) -> None:
        """Hear what the heir adopted, let go of that, and go on with the rest, however often it takes."""
        done = False
        while not done:
            done = await self._attempt()
            await asyncio.sleep(0 if done else AGAIN_SECONDS)
        self._why, self._asks = "", None
        await self.runner.start()
        self._mover.wake()

    async def _attempt(self) -> bool:
        try:
            upto = await self._adopted()
            if upto is not None:
                await self._let_go(upto)
            return upto is not None
        except StoreFull as error:
            self._why = f"{error.word}: {error}"
        except Exception as error:  # a fault of ours: the queue must not stand still for it until the next start
            self._why = repr(error)
            log.exception("what the heir has of the queue: asking again")
        return False

    async def _let_go(self, upto: int) -> None:
        party = self._party
        own = row_of(party, party.host)
        known = min(upto, own[1] if own else 0)
        while await party.store.write(lambda tx: drop_adopted(tx, known, MESSAGES_AT_ONCE)):
            pass
        if known:  # or the heir had no replica, and has nothing of anybody
            await take_posts_back(party.store)
        await party.store.write(partial(set_step, party.host, RETURNED))

    async def _adopted(self) -> int | None:
        party = self._party
        demoted = [one.peer for one in party.ownership.held() if one.state == DEMOTED]
        heir = party.zone().lost.get(party.host) or next(iter(demoted), "")
        if not heir:
            return 0
        try:
            reader, writer = await self._streams.open(heir, PURPOSE)
            with contextlib.closing(writer):
                said = (await Line(reader, writer).ask(Word("inherited"), "inherited")).about
        except OSError as error:
            self._why = f"{heir} does not say what it has: {error}"
            return None
        self._why = "" if said["done"] else f"{heir} is not through with the replica yet"
        return int(said["upto"]) if said["done"] else None

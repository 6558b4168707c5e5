"""A promotion, at the heir: a lost host's buckets are taken out of its replica, its queue is adopted.

Law: it is a hand-over like any other, whose giver is the replica: rows lie `away` until digests agree, one transaction
takes them. How far it is stands in the two databases; whoever comes after a crash goes on from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

from directory.snapshot import Directory
from heliograph.database import FILE_NAME as DATABASE
from heliograph.moving.demoting import forget_coming
from heliograph.moving.mover import Mover, Opens
from heliograph.moving.parties import REPLICA, Party
from heliograph.moving.taker import Taker
from heliograph.ownership.holding import LEGACY, SEALED, was_taken
from heliograph.ownership.ownership import Key, find
from heliograph.shelves.taking_off import take_off_shelf
from heliograph.standby.adopting import adopt_log, adopt_queue
from heliograph.standby.estate import Estate, copy_in
from heliograph.standby.fence import ask_host, named_lately
from heliograph.standby.reclaiming import reclaim_all
from heliograph.standby.replicas import NoReplica, Replicas
from heliograph.standby.steps import BEGUN, DONE, adopted_before, reach
from spool.adopting import numbers_upto
from store import StoreFull

log = logging.getLogger("heliograph.standby")

AGAIN_SECONDS = 2.0  # after a disk that is full, a host that does not answer
LOOK_SECONDS = 0.1

Subscribe = Callable[[Callable[[Directory], None]], Callable[[], None]]


class Inheritance:
    """One lost host's, at its heir, from `run` until it is done."""

    def __init__(
        self,
        party: Party,
        taker: Taker,
        streams: Opens,
        replicas: Replicas,
        subscribe: Subscribe,
        folder: Path,
        lost: str,
    ) -> None:
        self._party, self._taker, self._streams = party, taker, streams
        self._replicas, self._subscribe = replicas, subscribe
        self._place, self._lost = folder / lost / DATABASE, lost
        self._estate: Estate | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self.why = ""

    @property
    def left(self) -> int | None:
        """How many buckets are not here yet; None: that is not known yet."""
        if self._estate is None:
            return None
        return sum(one.state in (LEGACY, SEALED) for one in self._estate.party.ownership.held())

    def holds_back(self, which: str, bucket: int) -> str:
        """Why a bucket is not taken from anybody else now; "" where it is."""
        held = self._estate.party.ownership.state(which, bucket) if self._estate else LEGACY
        return f"{self._party.host} looks into the replica of {self._lost} first" if held in (LEGACY, SEALED) else ""

    async def run(self) -> None:
        """Do all of it, however often it takes."""
        done = False
        while not done:
            done = await self._attempt()
            await asyncio.sleep(0 if done else AGAIN_SECONDS)

    async def _attempt(self) -> bool:
        try:
            await self._inherit()
            return True
        except StoreFull as error:
            self.why = f"{error.word}: {error}"
        except OSError as error:
            self.why = str(error)
        except Exception as error:
            self.why = repr(error)
            log.exception("the inheritance of %s: trying again", self._lost)
        finally:
            await self._close()
        log.info("the inheritance of %s waits: %s", self._lost, self.why)
        return False

    async def _inherit(self) -> None:
        party, lost = self._party, self._lost
        await forget_coming(party, lost)
        if not self._place.exists() and not await self._copy():
            await self._note(DONE, 0)
            return
        self._estate = estate = await asyncio.to_thread(Estate, self._place, lost, party)
        await party.at("laid-out")
        await self._note(BEGUN, numbers_upto(estate.store.reader))
        for host, upto in adopted_before(estate.store):
            if host != party.host:
                await self._note(DONE, upto, host)
        await party.store.write(partial(reclaim_all, party, estate, lost))
        await estate.settle()
        mover = Mover(estate.party, self, self._subscribe)
        await mover.start()
        try:
            await self._decide(estate, mover)
            await adopt_log(party, estate.store, party.host)
            await adopt_queue(party, estate.store, lost)
            while self.left:
                self.why = next((one.why for one in mover.progress.values()), "")
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await mover.stop()
        await take_off_shelf(party.store, party.clock)
        await party.at("inherited")
        await self._note(DONE, numbers_upto(estate.store.reader))
        await self._close()
        await asyncio.to_thread(shutil.rmtree, self._place.parent)
        self.why = ""
        log.info("all that %s left is here", lost)

    async def _copy(self) -> bool:
        """Take the replica as it is; False where there is none that is whole."""
        state = self._replicas.state(self._lost)
        if state is None or not state.complete:
            log.error("there is no whole replica of %s here: its buckets wait until it comes back", self._lost)
            return False
        try:
            async with self._replicas.lend(self._lost) as path:
                await asyncio.to_thread(copy_in, path, self._place)
        except NoReplica:
            return False
        await self._party.at("copied")
        return True

    async def _note(self, step: str, upto: int, host: str = "") -> None:
        await self._party.store.write(partial(reach, host or self._lost, step, upto))

    # --- whose it is

    async def _decide(self, estate: Estate, mover: Mover) -> None:
        """Seal what nobody has. What a host is to be asked about that does not answer waits for it."""
        mine = {key for key in _keys(estate) if self._has(estate, key)}
        await estate.pass_over(mine)
        party = self._party
        rows = [*estate.named(), *party.store.reader.all("SELECT map, bucket, host FROM named")]
        undecided = _keys(estate)
        asked = named_lately([row for row in rows if row[:2] in undecided], {party.host, self._lost})
        asked = {host: keys for host, keys in asked.items() if host in party.zone().hosts}
        while estate.undecided():
            waiting = set().union(*asked.values())
            await estate.seal(_keys(estate) - waiting)
            mover.wake()
            await party.at("decided")
            for host in list(asked):
                if await self._ask(estate, host, sorted(asked[host])):
                    del asked[host]
            if set().union(*asked.values()) & _keys(estate):
                await asyncio.sleep(AGAIN_SECONDS)

    async def _ask(self, estate: Estate, host: str, keys: list[Key]) -> bool:
        zone = self._party.zone()
        if host in zone.lost or host not in zone.hosts:  # what it took is its heir's by now, or in its heir's way
            return True
        try:
            theirs = await ask_host(self._streams, host, self._lost, zone.serial, keys)
        except OSError as error:
            self.why = f"{host} may have something of {self._lost}, and does not say: {error}"
            return False
        legacy = {(one.map, one.bucket): one for one in estate.undecided()}
        await estate.pass_over({key for key, held in theirs.items() if key in legacy and was_taken(legacy[key], held)})
        return True

    def _has(self, estate: Estate, key: Key) -> bool:
        mine, legacy = find(self._party.store.reader, *key), estate.party.ownership.holding(*key)
        return mine is not None and legacy is not None and was_taken(legacy, mine)

    # --- the stream from the replica to this very host

    async def open(self, host: str, purpose: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        there = await asyncio.open_connection(sock=theirs)
        task = asyncio.create_task(self._serve(*there))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return reader, writer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await self._taker.handle(reader, writer, self._lost + REPLICA)

    async def _close(self) -> None:
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        estate, self._estate = self._estate, None
        if estate:
            await asyncio.to_thread(estate.close)


def _keys(estate: Estate) -> set[Key]:
    return {(one.map, one.bucket) for one in estate.undecided()}

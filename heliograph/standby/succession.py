"""What a host does when the zone says that a host is lost: itself, one whose heir it is, or one that it gave to.

Law: driven by the zone and the tables alone. Who is lost ceases to be an owner before anything else; its queue waits
until its heir has said what of it was adopted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from directory.service import DirectoryService
from directory.snapshot import Directory
from heliograph.moving import remains
from heliograph.moving.demoting import forget_coming
from heliograph.moving.frames import Broken, Word, hear, say
from heliograph.moving.mover import Mover, Opens
from heliograph.moving.parties import Party, by_map
from heliograph.ownership.holding import TOMBSTONE, revive
from heliograph.ownership.ownership import find
from heliograph.standby.fence import PURPOSE as HELD
from heliograph.standby.fence import Fence
from heliograph.standby.homecoming import AGAIN_SECONDS, PURPOSE, Homecoming, Runs
from heliograph.standby.inheriting import Inheritance
from heliograph.standby.replicas import Replicas
from heliograph.standby.steps import BEGUN, DONE, OVER, row_of, set_step, steps
from heliograph.streams import Serve
from store import Transaction

log = logging.getLogger("heliograph.standby")

LOOK_SECONDS = 60.0


INHERITED = "inherited"  # the folder of what is being inherited
ZONE_SECONDS_MAX = 5.0  # at the start of a host that may have been given up


async def hear_newest(directory: DirectoryService, host: str) -> None:
    """Ask for the newest zone, before a host that may have been given up owns anything. A primary that does not answer
    holds nobody up: a standby that must hear of each commit does not listen to a lost host."""
    zone = directory.current
    if host in {*zone.standbys, *zone.lost}:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ZONE_SECONDS_MAX):
                await directory.reload()


def keep_key(key: bytes, tx: Transaction) -> None:
    """Have the tokens' key in the database, whose replica is all that an heir may have."""
    tx.execute("DELETE FROM token_key WHERE key <> ?", (key,))
    tx.execute("INSERT OR IGNORE INTO token_key VALUES (?)", (key,))


class Succession:
    """One host's part in all of that, from `start` to `stop`."""

    def __init__(
        self,
        party: Party,
        mover: Mover,
        streams: Opens,
        replicas: Replicas,
        subscribe: Callable[[Callable[[Directory], None]], Callable[[], None]],
        folder: Path,
    ) -> None:
        self._party, self._mover, self._streams, self._replicas = party, mover, streams, replicas
        self._subscribe, self._folder = subscribe, folder
        self._home = Homecoming(party, mover, streams)
        self._inheritances: dict[str, Inheritance] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._given_up: frozenset[str] = frozenset()
        self._bell = asyncio.Event()
        self._end: Callable[[], None] = lambda: None

    @property
    def holds_mail(self) -> bool:
        """Tell whether the queue waits for the heir of this host."""
        return self._home.is_held

    async def settle(self) -> None:
        """Before anything is at work: own nothing, if the zone says that this host is lost."""
        await self._home.demote()

    async def start(self, runner: Runs) -> None:
        """Before any door opens: know whose heir this host is. `runner`: of the queue, at work unless it is held."""
        self._home.runner = runner
        self._end = self._subscribe(lambda _: self._bell.set())
        await self._look()
        self._tasks[""] = asyncio.create_task(self._run(), name="succession")

    async def stop(self) -> None:
        self._end()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), self._home.stop(), return_exceptions=True)

    # --- what others ask

    def purposes(self) -> dict[str, Serve]:
        """The streams between hosts that are served here."""
        return {PURPOSE: self._answer, HELD: Fence(self._party).handle}

    def holds_back(self, giver: str, which: str, bucket: int) -> str:
        """Why a bucket is not taken from a host now."""
        if any(lost not in self._inheritances and self._is_to_inherit(lost) for lost in self._mine()):
            return f"{self._party.host} has just heard of a lost host"
        found = (
            one.holds_back(which, bucket)
            for lost, one in self._inheritances.items()
            if not giver.startswith(f"{lost} ")
        )
        return next(filter(None, found), "")

    def may_return(self) -> bool:
        return not self._home.is_held

    def word(self) -> dict[str, Any]:
        """For `status`: what is inherited here, and what is left to give back."""
        return {
            "inheriting": {lost: {"left": one.left, "why": one.why} for lost, one in self._inheritances.items()},
            "returning": self._home.word(),
            "inherited": [host for host, step in steps(self._party) if step == DONE],
        }

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        """A host that was lost asks whether all that it left is here, and which of its mail."""
        with contextlib.suppress(Broken):
            while True:
                await hear(reader)
                row = row_of(self._party, peer)
                done = row is not None and row[0] in (DONE, OVER) and not self._inheritances
                await say(writer, Word("inherited", {"done": done, "upto": row[1] if row else 0}))

    # --- what is done

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._bell.wait()
            self._bell.clear()
            try:
                await self._look()
            except Exception:
                log.exception("lost hosts: looking again")
                await asyncio.sleep(AGAIN_SECONDS)
                self._bell.set()

    async def _look(self) -> None:
        zone, me = self._party.zone(), self._party.host
        await self._home.look()
        self._give_up(frozenset(zone.lost) - {me})
        begun = {host for host, step in steps(self._party) if step == BEGUN}
        for lost in (begun | set(self._inheritances)) - set(self._mine()):
            await self._take_back(lost)
        for lost in self._mine():
            await self._begin(lost)
        for lost, heir in zone.lost.items():
            if lost != me and heir != me:
                await forget_coming(self._party, lost)
            await self._revive(lost, heir)
        for host, step in steps(self._party):
            if step == DONE and host not in zone.lost:
                await self._party.store.write(partial(set_step, host, OVER))
        self._mover.wake()

    def _give_up(self, lost: frozenset[str]) -> None:
        """What is on its way to a host that may never answer goes where its mail belongs now."""
        for host in lost - self._given_up:
            self._home.runner.give_up(host)
        self._given_up = lost

    def _mine(self) -> list[str]:
        """Whose heir this host is."""
        return [lost for lost, heir in self._party.zone().lost.items() if heir == self._party.host]

    # --- at the heir

    def _is_to_inherit(self, lost: str) -> bool:
        row = row_of(self._party, lost)
        return row is None or row[0] != DONE

    async def _begin(self, lost: str) -> None:
        if lost in self._inheritances or not self._is_to_inherit(lost):
            return
        party = self._party
        one = Inheritance(party, self._mover.taker, self._streams, self._replicas, self._subscribe, self._folder, lost)
        self._inheritances[lost] = one
        sql = (
            "INSERT INTO inheritance VALUES (?, ?, '', 0, 0) ON CONFLICT (host) DO UPDATE SET"
            " at = iif(step = ?2, at, 0), upto = iif(step = ?2, upto, 0), step = ?2"
        )
        try:
            await self._clear_away(lost)
            await party.store.write(lambda tx: tx.execute(sql, (lost, BEGUN)))
        except BaseException:  # a full disk, or a standby that is away, which may be the lost host: it begins later
            del self._inheritances[lost]
            raise
        self._tasks[lost] = asyncio.create_task(self._inherit(one, lost), name=f"inherit {lost}")

    async def _clear_away(self, lost: str) -> None:
        """A host may be lost again: what a crash at the end of the last time left of its replica is old."""
        row, place = row_of(self._party, lost), self._folder / lost
        if (row is None or row[0] != BEGUN) and place.exists():
            await asyncio.to_thread(shutil.rmtree, place)

    async def _take_back(self, lost: str) -> None:
        """The zone says so no more: what was taken is here, the rest is the host's again. Its replica goes on."""
        if task := self._tasks.pop(lost, None):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._inheritances.pop(lost, None)
        row = row_of(self._party, lost)
        if row and row[0] == BEGUN:
            await self._party.store.write(lambda tx: tx.execute("DELETE FROM inheritance WHERE host = ?", (lost,)))
            await asyncio.to_thread(shutil.rmtree, self._folder / lost, True)
        log.warning("the zone does not say any more that %s is lost and this host its heir", lost)

    async def _inherit(self, one: Inheritance, lost: str) -> None:
        await one.run()
        del self._inheritances[lost]
        self._mover.wake()

    # --- at others

    async def _revive(self, lost: str, heir: str) -> None:
        """Offer what the lost host took from here to its heir, should the replica not show that it did."""
        party, now = self._party, self._party.clock()
        held = [one for one in party.ownership.held() if one.state == TOMBSTONE and one.peer == lost and one.kept]

        def work(tx: Transaction) -> None:
            there = [mine for one in held if (mine := find(tx, one.map, one.bucket))]
            views = {(mine.map, mine.bucket): party.view(mine.map, mine.bucket) for mine in there}
            revived = [after for mine in there if (after := revive(mine, heir, views[mine.map, mine.bucket], now))]
            for which, buckets in by_map((one.map, one.bucket) for one in revived).items():
                remains.skip(tx, which, party.cargo[which].units(tx, party.in_buckets(buckets)), lost)
            party.ownership.put(tx, *revived)

        if held and heir != party.host:
            await party.store.write(work)

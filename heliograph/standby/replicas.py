"""The replicas that this host keeps of others: `standby/OWNER/heliograph.db`, and what is to be put into it.

Law: what was acknowledged to an owner is in the file that is lent next. While a file is lent it does not change: what
comes meanwhile waits in the logs beside it, and after a while those who have it are asked to give it back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from heliograph.standby.replica import CHUNK_OCTETS, Replica, found_place

log = logging.getLogger("heliograph.standby")

T = TypeVar("T")

LENT_OCTETS_MAX = 256 << 20  # of logs beside a file that is lent: then it is asked for
LOGS_OCTETS_MAX = 1 << 30  # of logs altogether: then nothing more is taken
BOUNDARY_SECONDS_MAX = 30.0  # for the commit that is coming to end, when somebody wants the newest state


class NoReplica(Exception):
    """There is none of this host, or none that is whole."""


class Crowded(OSError):
    """So much waits to be put into a file that nothing more is taken."""


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """`complete`: a whole database is here; `as_of`: when the newest commit held was made; `connected`: its owner
    streams now; `behind`: octets that the owner said it has committed and that are not held yet; `pages_done` of
    `pages`: of a copy under way; `heard_at`: when it last said something, 0 where that was before this start."""

    owner: str
    complete: bool
    as_of: float
    connected: bool = False
    behind: int = 0
    pages_done: int = 0
    pages: int = 0
    heard_at: float = 0.0


class Kept:
    """One owner's replica: who writes to it, who reads from it."""

    def __init__(self, owner: str, folder: Path, press: Callable[[str], object]) -> None:
        self.owner, self.folder = owner, folder
        self.replica: Replica | None = None
        self.stream: asyncio.Task[None] | None = None
        self.connected, self.behind, self.heard_at = False, 0, 0.0
        self._press = press
        self._lock = asyncio.Lock()  # nobody borrows while the file changes
        self._lent = 0
        self._returned = asyncio.Event()
        self._applying: asyncio.Task[None] | None = None
        # What comes is written in one thread, in order; not in the loop's own pool, where passwords are hashed.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"standby-{owner}")

    async def run(self, work: Callable[[Replica], T]) -> T:
        """Do something in the thread that writes the logs."""
        replica = await self._open()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, replica)

    def cut(self) -> None:
        """A stream has ended: what came of a commit that did not end goes, after what is being written."""
        if self.replica:
            self._thread.submit(_cut, self.replica)

    async def settle(self) -> None:
        """Have everything in the file, and nobody reading it: a copy is to begin."""
        async with self._lock:
            await self._wait_returned()
            await self._bring_up()

    async def end_copy(self, database: str) -> None:
        """A copy is whole; nobody borrows between the file and what it lacks."""
        async with self._lock:
            await self.run(lambda replica: replica.end(database))

    def tend(self) -> None:
        """After something came: put into the file what is due, or ask for it back."""
        replica = self.replica
        if replica is None or not replica.sealed:
            return
        if not self._lent:
            if self._applying is None or self._applying.done():
                self._applying = asyncio.create_task(self._apply(), name=f"replica of {self.owner}")
        elif replica.log_octets > LENT_OCTETS_MAX:
            self._press(self.owner)

    def check_room(self) -> None:
        """Raise Crowded where more must not come."""
        if self.replica and self.replica.log_octets > LOGS_OCTETS_MAX and not self.replica.copying:
            raise Crowded(f"{self.replica.log_octets} octets wait to be put into the replica of {self.owner}")

    @asynccontextmanager
    async def lend(self, newest: bool) -> AsyncIterator[Path]:
        async with self._lock:
            replica = await self._open()
            if self._lent and newest and replica.log_octets:
                await self._wait_returned()
            if not self._lent:
                await self._bring_up()
            if not replica.place.whole:
                raise NoReplica(self.owner)
            self._lent += 1
        try:
            yield replica.path
        finally:
            self._lent -= 1
            self._returned.set()
            if self._lent == 0:
                self.tend()

    def state(self) -> ReplicaState:
        if self.replica is None:
            place = found_place(self.folder)
            return ReplicaState(self.owner, place.whole, place.as_of, heard_at=self.heard_at)
        replica, step = self.replica, CHUNK_OCTETS // 4096
        pages = replica.pages_copied
        done = min(replica.chunks_seen * step, pages)
        whole, as_of = replica.place.whole, replica.place.as_of if replica.copying else replica.as_of
        return ReplicaState(self.owner, whole, as_of, self.connected, self.behind, done, pages, self.heard_at)

    async def reopen(self) -> Replica:
        """Read again what is there: a stream begins with what the disk says."""
        async with self._lock:
            replica, self.replica = self.replica, None
            if replica:
                await asyncio.get_running_loop().run_in_executor(self._thread, replica.close)
            return await self._open()

    async def close(self) -> None:
        for task in (self.stream, self._applying):
            if task:
                task.cancel()
                await asyncio.wait([task])
        await asyncio.to_thread(self._thread.shutdown)
        if self.replica:
            self.replica.close()

    async def _open(self) -> Replica:
        if self.replica is None:
            loop = asyncio.get_running_loop()
            self.replica = await loop.run_in_executor(self._thread, Replica, self.folder)
        return self.replica

    async def _wait_returned(self) -> None:
        while self._lent:
            self._returned.clear()
            self._press(self.owner)
            await self._returned.wait()

    async def _bring_up(self) -> None:
        """Put everything into the file."""
        replica = await self._open()
        if replica.copying:
            return  # what was whole before it is all in the file
        async with asyncio.timeout(BOUNDARY_SECONDS_MAX):
            while not await self.run(Replica.seal):  # noqa: ASYNC110 - the thread that writes knows no loop
                await asyncio.sleep(0.01)
        await _finish(replica.apply)

    async def _apply(self) -> None:
        async with self._lock:
            if self.replica and not self._lent:
                try:
                    await _finish(self.replica.apply)
                except OSError as error:
                    log.error("what came of %s cannot be put into its replica: %s", self.owner, error)


async def _finish(work: Callable[[], object]) -> None:
    """Do something in a thread to its end, also where nobody waits for it any more: the lock stands for it."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _cut(replica: Replica) -> None:
    try:
        replica.cut()
    except OSError:
        log.exception("%s: the end of the log could not be cut off", replica.folder)


class Replicas:
    """All replicas at this host."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, Kept] = {}
        self._pressed: list[Callable[[str], object]] = []

    async def close(self) -> None:
        while self._kept:
            _, kept = self._kept.popitem()
            await kept.close()

    def owners(self) -> list[str]:
        """Whose replicas are here, whole or not."""
        return sorted(found.name for found in self._folder.iterdir()) if self._folder.is_dir() else []

    def state(self, owner: str) -> ReplicaState | None:
        if not (self._folder / owner).is_dir():
            return None
        return self.kept(owner).state()

    @asynccontextmanager
    async def lend(self, owner: str, newest: bool = True) -> AsyncIterator[Path]:
        """Lend a database that stays as it is until it is given back; raise NoReplica.

        `newest`: it holds all that was acknowledged; others who have it lent are asked to give it back first
        (`on_pressure`). Else whoever comes while it is lent shares what the others have.
        """
        if not (self._folder / owner).is_dir():
            raise NoReplica(owner)
        async with self.kept(owner).lend(newest) as path:
            yield path

    def on_pressure(self, callback: Callable[[str], object]) -> None:
        """Call this, on the loop, with an owner's name when whoever has its file lent is to give it back soon."""
        self._pressed.append(callback)

    def kept(self, owner: str) -> Kept:
        if owner not in self._kept:
            self._kept[owner] = Kept(owner, self._folder / owner, self._press)
        return self._kept[owner]

    def _press(self, owner: str) -> None:
        for callback in self._pressed:
            callback(owner)

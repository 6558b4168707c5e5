"""What befalls hosts while buckets move: they are killed, frozen, cut off, lose their power, have a full disk.

Law: each fault has a beginning and an end, which are written down; after the end the host is as it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from heliograph.demo.stage import Stage
from tests.soak.fleet import Fleet
from tests.soak.test_power_cut import Disk
from tests.soak.yard import Yard

SECONDS_MAX = 4.0  # of a host that is frozen, cut off, or has no room
POINTS = ("before-seal", "after-seal", "rows", "before-grant", "before-take", "after-take", "before-bury")
CLOCK = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
CLOCK_OFF = "+3d"
BALLAST = "ballast"
TELL = b"ready\n"


class MovingFleet(Fleet):
    """Hosts that may have a namespace, a clock and an end of their own."""

    def __init__(self, stage: Stage, yard: Yard | None, clocks: dict[str, str]) -> None:
        super().__init__(stage)
        self.yard, self.clocks = yard, clocks
        self.ends: dict[str, str] = {}

    def line(self, name: str, *arguments: str) -> list[str]:
        line = super().line(name, *arguments)
        if name in self.ends:
            line[line.index("heliograph")] = "tests.soak.marked_host"
        return [*(self.yard.inside(name) if self.yard else ()), *line]

    def environment(self, name: str) -> dict[str, str]:
        found = super().environment(name)
        if name in self.clocks:
            found |= {"LD_PRELOAD": CLOCK, "FAKETIME": self.clocks[name], "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        if name in self.ends:
            found["HELIOGRAPH_END_AT"] = self.ends[name]
        return found

    def signal(self, name: str, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._processes[name].pid, number)

    def has_ended(self, name: str) -> bool:
        return self._processes[name].returncode is not None

    async def again(self, name: str) -> None:
        """Start it, until it comes up: a host whose disk is full does not."""
        while True:
            await self.start(name)
            output = self._processes[name].stdout
            assert output is not None
            async with asyncio.timeout(120):
                if await output.readline() == TELL:
                    return
            await self._processes[name].wait()
            self.ends.pop(name, None)
            await asyncio.sleep(0.2)


class Faults:
    """`disk`: of host-2, where it has one of its own."""

    def __init__(self, fleet: MovingFleet, chance: random.Random, kinds: list[str], disk: Disk | None) -> None:
        self._fleet, self._chance, self._kinds, self._disk = fleet, chance, kinds, disk
        self._alone = asyncio.Lock()  # a host that ended is not started again by two at once
        self.spans: list[tuple[float, float]] = []
        self.ended_at: list[str] = []

    async def one(self) -> None:
        """Any of them, at any host that it can befall."""
        doing: dict[str, Callable[[str], Awaitable[None]]] = {
            "kill": self._kill,
            "point": self._end_at,
            "freeze": self._freeze,
            "link": self._cut,
            "power": self._power,
            "full": self._full,
        }
        kind = self._chance.choice(self._kinds)
        name = "host-2" if kind in ("power", "full") else self._chance.choice(self._fleet.names)
        began = time.time()
        try:
            async with self._alone:
                await doing[kind](name)
        finally:
            self.spans.append((began, time.time()))

    def outside(self, began: float, ended: float) -> float:
        """How much of a time was in no fault."""
        inside = last = 0.0
        for since, until in sorted(self.spans):
            since, until = max(since, began, last), min(until, ended)
            if until > since:
                inside, last = inside + until - since, until
        return ended - began - inside

    async def revive(self) -> None:
        """Start again whoever ended at a point of their own."""
        for name in () if self._alone.locked() else self._fleet.names:
            if self._fleet.has_ended(name):
                assert name in self._fleet.ends, f"{name} ended by itself:\n{self._fleet.stage.log()[-4000:]}"
                began = time.time()
                self.ended_at.append(self._fleet.ends.pop(name))
                self._fleet.kills += 1
                async with self._alone:
                    await self._fleet.again(name)
                self.spans.append((began - 0.3, time.time()))

    async def _kill(self, name: str) -> None:
        await self._fleet.kill(name, anyway=True)
        self._fleet.ends.pop(name, None)
        await self._fleet.again(name)

    async def _end_at(self, name: str) -> None:
        """From its next start on it ends at a point; that is now."""
        await self._fleet.kill(name, anyway=True)
        self._fleet.ends[name] = self._chance.choice(POINTS)
        await self._fleet.again(name)

    async def _freeze(self, name: str) -> None:
        self._fleet.signal(name, signal.SIGSTOP)
        await self._last()
        self._fleet.signal(name, signal.SIGCONT)

    async def _cut(self, name: str) -> None:
        assert self._fleet.yard is not None
        await asyncio.to_thread(self._fleet.yard.link, name, "down")
        await self._last()
        await asyncio.to_thread(self._fleet.yard.link, name, "up")

    async def _power(self, name: str) -> None:
        """The disk stops first, then the machine; then both are there again."""
        assert self._disk is not None
        await asyncio.to_thread(self._disk.cut)
        await asyncio.sleep(self._chance.random() * 0.3)
        await self._fleet.kill(name, anyway=True)
        await asyncio.to_thread(self._disk.unmount)
        await asyncio.to_thread(self._disk.mount)
        await self._fleet.again(name)

    async def _full(self, name: str) -> None:
        assert self._disk is not None
        ballast = self._disk.folder / BALLAST
        await asyncio.to_thread(_fill, ballast)
        await self._last()
        ballast.unlink()

    async def _last(self) -> None:
        await asyncio.sleep(0.2 + self._chance.random() * (SECONDS_MAX - 0.2))


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        for octets in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * octets):
                    pass

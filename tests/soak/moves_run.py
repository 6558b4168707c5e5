"""Buckets of three real hosts go round, under load and faults; then everything is counted. Run by test_moves.py, or:

    python -m tests.soak.moves_run --moves 100 --faults kill,freeze,point --seed 7 --seconds 600

Law: what is random comes of the seed, but for the clock. The last line is what was found, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from heliograph.control.control_socket import ControlClient, NotRunning
from heliograph.demo.__main__ import settings
from heliograph.demo.outside import PLACE, Mailbox, foreign_mailbox, web_site
from heliograph.demo.stage import PASSWORD, Stage, command_line, stage
from heliograph.exits import CommandError
from mailbox_host.passwords import hash_password
from tests.soak.moving_faults import CLOCK_OFF, Faults, MovingFleet
from tests.soak.moving_traffic import MovingTraffic, digest
from tests.soak.moving_verdict import moves_of, verdict
from tests.soak.test_kills import confirm
from tests.soak.test_power_cut import disk_of
from tests.soak.traffic import PEOPLE, SOURCES, STEADY, Journal
from tests.soak.yard import NET, Yard

AT_ONCE_MAX = 8  # buckets in one edit
QUIET_EVERY = 100  # moves: then the load is held, and mailboxes are compared before and after a move
SETTLE_SECONDS_MAX = 300.0
LOOK_SECONDS = 0.1
THREADS = 64
BUCKETS = ("--buckets", "256")  # a small zone: reading it is not what is tried here
TELL_SECONDS = 20.0
Key = tuple[str, int]


class Rounds:
    """Edits the zone, and waits until the hosts have followed."""

    def __init__(self, fleet: MovingFleet, faults: Faults, chance: random.Random, share: float) -> None:
        self._fleet, self._faults, self._chance, self._share = fleet, faults, chance, share
        config = fleet.stage.config
        self._file, bucket = config.zone_file, config.names.bucket
        self.timelines: list[Key] = sorted({("timeline", bucket(name)) for name in PEOPLE})
        self.all: list[Key] = sorted({*self.timelines, *(("reflectors", bucket(name)) for name in SOURCES)})
        self.done = 0

    async def round(self) -> None:
        """Some buckets go elsewhere, and perhaps something befalls a host meanwhile."""
        keys = self._chance.sample(self.all, self._chance.randint(1, AT_ONCE_MAX))
        fault = asyncio.create_task(self._fault()) if self._chance.random() < self._share else None
        await self.give({key: self._elsewhere(key) for key in keys})
        if fault:
            await fault

    async def give(self, changes: dict[Key, str]) -> None:
        text = self._file.read_text()
        for (which, bucket), host in changes.items():
            text = re.sub(rf"(?m)^(b{bucket}\.{which}\s+MX\s+10\s+)host-\d", rf"\g<1>{host}", text)
        self._file.write_text(text)
        await asyncio.to_thread(self._reload)
        give_up = time.monotonic() + SETTLE_SECONDS_MAX
        while not self._settled(changes):
            await self._faults.revive()
            await asyncio.sleep(LOOK_SECONDS)
            assert time.monotonic() < give_up, f"{changes} do not come to their end: {self._states(changes)}"
        self.done += len(changes)

    async def _fault(self) -> None:
        await asyncio.sleep(self._chance.random() * 0.5)
        await self._faults.one()

    def _elsewhere(self, key: Key) -> str:
        which, bucket = key
        found = re.search(rf"(?m)^b{bucket}\.{which}\s+MX\s+10\s+(host-\d)", self._file.read_text())
        assert found
        return self._chance.choice([name for name in self._fleet.names if name != found[1]])

    def _reload(self) -> None:
        """Where the primary is away, it reads the file when it comes back."""
        with suppress(NotRunning, CommandError, OSError):
            client = ControlClient(self._fleet.stage.config.host_folder("host-1"), 5.0)
            try:
                client.ask("zone reload")
            finally:
                client.close()

    def _settled(self, changes: dict[Key, str]) -> bool:
        states = self._states(changes)
        there = all(states[name].get(key) == "owner" for key, name in changes.items())
        return there and not any("sealed" in states[name].values() for name in states)

    def _states(self, changes: dict[Key, str]) -> dict[str, dict[Key, str]]:
        found: dict[str, dict[Key, str]] = {}
        for name in self._fleet.names:
            try:
                rows = self._fleet.all(name, "SELECT map, bucket, state FROM holding")
            except Exception:  # its disk is away
                rows = []
            states: dict[Key, str] = {(str(which), int(str(at))): str(state) for which, at, state in rows}
            found[name] = {key: states[key] for key in changes if key in states}
        return found


async def run(options: argparse.Namespace, here: Stage, scenery: ExitStack) -> dict[str, Any]:
    # A client that hangs at a dead host keeps its thread for 15 s, and the link must come up on time.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    hashed = hash_password(PASSWORD.encode())
    here.ask("account", "import", "-", typed="".join(f"{name}:{hashed}\n" for name in PEOPLE))
    disk = scenery.enter_context(disk_of(here, "host-2")) if {"power", "full"} & set(options.faults) else None
    outside = scenery.enter_context(foreign_mailbox(here))
    site = scenery.enter_context(web_site(here.address(PLACE), Journal))
    assert isinstance(site, Journal)
    clocks = {"host-2": CLOCK_OFF} if options.clock else {}
    fleet = MovingFleet(here, Yard(options.yard) if options.yard else None, clocks)
    traffic = MovingTraffic(here, site, options.seed)
    chance = random.Random(options.seed)
    faults = Faults(fleet, chance, options.faults, disk)
    rounds = Rounds(fleet, faults, chance, options.share if options.faults else 0.0)
    began = time.monotonic()
    try:
        await set_out(fleet, traffic, outside)
        running = asyncio.create_task(traffic.run())
        differ: list[str] = []
        try:
            differ = await go_round(options, rounds, traffic, running)
        finally:
            traffic.stop()
            await running
        found = await verdict(fleet, traffic, outside, site)
        return {
            "moves": rounds.done,
            "faults": len(faults.spans),
            "ended_at": sorted(set(faults.ended_at)),
            "lost_or_doubled": [*differ, *found],
            **moves_of(fleet, faults),
            "sent": sum(map(len, (*traffic.promises.posts.values(), *traffic.promises.letters.values()))),
            "seconds": round(time.monotonic() - began),
        }
    finally:
        await fleet.stop()
        fleet.close()


async def set_out(fleet: MovingFleet, traffic: MovingTraffic, outside: Mailbox) -> None:
    """Start all hosts; the steady followers follow."""
    for name in fleet.names:
        await fleet.start(name)
    for name in fleet.names:
        await fleet.ready(name)
    for name in STEADY:
        client = traffic.client(name)
        for source in SOURCES:
            await traffic.command(client, name, source, "subscribe")
        await client.close()
    await asyncio.to_thread(confirm, fleet.stage, outside)
    await fleet.still()


async def go_round(
    options: argparse.Namespace, rounds: Rounds, traffic: MovingTraffic, running: asyncio.Task[None]
) -> list[str]:
    """Move and move; now and then hold everything, and look whether a move changes what a client sees."""
    give_up, quiet, told, differ = time.monotonic() + options.seconds, QUIET_EVERY, 0.0, list[str]()
    while rounds.done < options.moves and time.monotonic() < give_up and not running.done():
        await rounds.round()
        if rounds.done >= quiet:
            quiet += QUIET_EVERY
            differ += await compared(rounds, traffic, running)
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            print(f"{rounds.done} moves", flush=True)
    return [*differ, *await compared(rounds, traffic, running)]


async def compared(rounds: Rounds, traffic: MovingTraffic, running: asyncio.Task[None]) -> list[str]:
    """Every mailbox is moved while nothing happens; a client sees the same before and after."""
    await rounds._faults.revive()
    await traffic.hold(running)
    await rounds._fleet.still()
    config = rounds._fleet.stage.config
    before = {name: await asyncio.to_thread(digest, config, name) for name in (*STEADY, *SOURCES)}
    await rounds.give({key: rounds._elsewhere(key) for key in rounds.timelines})
    await rounds._faults.revive()
    after = {name: await asyncio.to_thread(digest, config, name) for name in before}
    traffic.go_on()
    return [f"{name} is not as it was before the move" for name in before if before[name] != after[name]]


@contextmanager
def in_yard() -> Iterator[Stage]:
    """A stage whose hosts have addresses of their own namespaces."""
    with tempfile.TemporaryDirectory(prefix="heliograph-yard-") as folder:
        root = Path(folder) / "fabric"
        subprocess.run(
            command_line(root, "init", str(root), "--hosts", "3", "--net", NET, *BUCKETS), check=True, timeout=60
        )
        configured = root / "heliograph.toml"
        configured.write_text(settings(configured.read_text(), NET))
        yield Stage(root, NET)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--moves", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1, 2**31))
    parser.add_argument("--faults", type=lambda text: [kind for kind in text.split(",") if kind], default=[])
    parser.add_argument("--share", type=float, default=0.15, help="of the edits, in which something befalls a host")
    parser.add_argument("--clock", action="store_true", help="host-2 lives three days ahead")
    parser.add_argument("--yard", default="", help="the namespace that this runs in")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with ExitStack() as scenery:
        here = scenery.enter_context(in_yard() if options.yard else stage(settings=settings, options=BUCKETS))
        try:
            found = asyncio.run(run(options, here, scenery))
        except BaseException:
            print(here.log()[-8000:], file=sys.stderr)
            raise
        if found["lost_or_doubled"]:
            print(here.log()[-8000:], file=sys.stderr)
    print(json.dumps(found), flush=True)
    return 1 if found["lost_or_doubled"] else 0


if __name__ == "__main__":
    sys.exit(main())

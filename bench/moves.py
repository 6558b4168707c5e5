"""Buckets moved among three hosts: many accounts at once, and one after the other under load. `--quick`, `--json`;
`--million`: only many at once, between two processes (moves_million.py).

Law: three whole hosts in one process, over real sockets, each with a database of its own; streams are cut and hosts
stopped at random. What counts as lost or doubled is what a client sees at the end. The floor beside the first line is a
copy of the same database file with one flush: what any move costs at least.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import random
import re
import resource
import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # else `ingest` would be bench/ingest.py

from bench.moves_fill import MANY, MANY_QUICK, fill
from bench.moves_load import PASSWORD, Load, follow, read
from bench.moves_million import measure_million
from heliograph.acts import operations
from heliograph.configuration.config import load
from heliograph.configuration.settings import Config, Ports
from heliograph.demo.stage import free_net
from heliograph.founding.init import Wish, plan
from heliograph.founding.new_folder import make_folder
from heliograph.host import Host
from heliograph.ownership.holding import OWNER, SEALED
from mailbox_host.passwords import hash_password

DOMAIN = "fabric.test"
HOSTS = ("host-1", "host-2", "host-3")
BUCKETS = 64
MOVES, MOVES_QUICK = 1_000, 20
CUT_SHARE, STOP_SHARE = 0.05, 0.05  # of the named points, of the moves
PAUSE_SECONDS_MAX = 2.0


class Fabric:
    """Three hosts, whose zone is edited by hand."""

    def __init__(self, config: Config) -> None:
        self.config, self.hosts, self.faulty = config, {}, False
        self.chance = random.Random(int(os.environ.get("BENCH_SEED", "1")))
        self.hash = hash_password(PASSWORD.encode())
        self.faults: list[float] = []

    async def at(self, point: str) -> None:
        if self.faulty and self.chance.random() < CUT_SHARE:
            self.faults.append(time.time())
            raise ConnectionResetError(f"cut {point}")

    async def start(self, *names: str) -> None:
        for name in names or HOSTS:
            host = Host(self.config, name, moving_at=self.at)
            await host.start()
            self.hosts[name] = host

    async def stop(self, *names: str) -> None:
        for name in names or HOSTS:
            await self.hosts.pop(name).stop()

    async def give(self, which: str, changes: dict[int, str]) -> None:
        text = self.config.zone_file.read_text()
        for bucket, host in changes.items():
            text = re.sub(rf"(?m)^(b{bucket}\.{which}\s+MX\s+10\s+)host-\d", rf"\g<1>{host}", text)
        self.config.zone_file.write_text(text)
        if "host-1" in self.hosts:
            await self.hosts["host-1"].directory.reload()

    async def until_owned(self, which: str, changes: dict[int, str]) -> None:
        def settled(bucket: int, name: str) -> bool:
            if name not in self.hosts or self.hosts[name].ownership.state(which, bucket) != OWNER:
                return False
            return all(host.ownership.state(which, bucket) not in (SEALED,) for host in self.hosts.values())

        while not all(settled(*change) for change in changes.items()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    async def add(self, *names: str) -> None:
        for name in names:
            host = self.hosts[self.hosts["host-1"].directory.current.owner("timeline", self.config.names.bucket(name))]
            await host.store.write(
                partial(operations.add_account, site=host._site(), now=time.time(), name=name, hash=self.hash)
            )

    def address(self, at: int) -> str:
        return self.config.host(HOSTS[at % 3]).address


async def many(fabric: Fabric, accounts_: int, entries: int, bodies: int) -> dict[str, object]:
    """All of host-1's mailboxes to host-2."""
    giver, names = fabric.hosts["host-1"], fabric.config.names
    mine = {b for b, owner in enumerate(giver.directory.current.timeline) if owner == "host-1"}
    found = [name for name in (f"u{at}" for at in range(accounts_ * 4)) if names.bucket(name) in mine][:accounts_]
    await asyncio.to_thread(fill, giver.store, found, entries, bodies)
    floor = await asyncio.to_thread(copied, giver.store.path)
    before, begun, cpu = memory(), time.perf_counter(), time.process_time()
    changes = dict.fromkeys(mine, "host-2")
    await fabric.give("timeline", changes)
    await fabric.until_owned("timeline", changes)
    seconds = time.perf_counter() - begun
    return {
        "accounts": len(found), "entries": len(found) * entries, "bodies": bodies, "seconds": round(seconds, 2),
        "cpu_s": round(time.process_time() - cpu, 2), "floor_s": round(floor, 2),
        "entries_per_s": round(len(found) * entries / seconds), "memory_grown_mb": round((memory() - before) / 1024),
    }  # fmt: skip


def copied(path: Path) -> float:
    begun = time.perf_counter()
    with path.open("rb") as source, tempfile.NamedTemporaryFile(dir=path.parent) as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        os.fsync(target.fileno())
    return time.perf_counter() - begun


def memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def under_load(fabric: Fabric, moves: int) -> dict[str, object]:
    """Alice's mailbox and bob's list go round, while both are used, and while streams and hosts fail."""
    await fabric.add("alice", "bob")
    site, now = fabric.hosts["host-1"], time.time()
    load, names = Load(fabric), fabric.config.names
    await load.persist(partial(follow, fabric))
    working = asyncio.create_task(load.run())
    fabric.faulty = True
    for at in range(moves):
        which, bucket = ("timeline", names.bucket("alice")) if at % 2 else ("reflectors", names.bucket("bob"))
        owner = site.directory.current.owner(which, bucket) if "host-1" in fabric.hosts else "host-1"  # type: ignore[arg-type]
        target = fabric.chance.choice([host for host in HOSTS if host != owner])
        await fabric.give(which, {bucket: target})
        if fabric.chance.random() < STOP_SHARE:
            victim = fabric.chance.choice(HOSTS[1:])
            await fabric.stop(victim)
            fabric.faults.append(time.time())
            await fabric.start(victim)
        await fabric.until_owned(which, {bucket: target})
        site = fabric.hosts["host-1"]
    fabric.faulty = load.going = False
    await working
    await still(fabric)
    subjects = await asyncio.to_thread(read, fabric)
    pauses = sorted(pause for host in fabric.hosts.values() for pause in paused(host, now, fabric.faults))
    return {
        "moves": moves,
        "sent": len(load.sent),
        "lost": sum(subjects[subject] == 0 for subject in load.sent),
        "doubled": sum(count > 1 for subject, count in subjects.items() if subject in load.sent),
        "refused": load.refused,
        "faults": len(fabric.faults),
        "pause_p99_s": round(pauses[min(len(pauses) - 1, int(len(pauses) * 0.99))], 3) if pauses else None,
        "pause_median_s": round(pauses[len(pauses) // 2], 3) if pauses else None,
    }


def paused(host: Host, since: float, faults: list[float]) -> list[float]:
    """The pauses of this host's moves in which no fault fell."""
    rows = host.store.reader.all("SELECT at, detail FROM event WHERE kind = 'moved' AND at > ?", (since,))
    found = [(at, json.loads(detail)["pause"]) for at, detail in rows]
    return [pause for at, pause in found if not any(at - pause <= fault <= at for fault in faults)]


async def still(fabric: Fabric) -> None:
    """Wait until nothing is queued; what was put off, because a host was down, is tried again at once."""
    while waiting := [host for host in fabric.hosts.values() if host.store.reader.one("SELECT 1 FROM queue_recipient")]:
        for host in waiting:
            await host.store.write(partial(host.queue.retry, messages=None, now=time.time()))
        await asyncio.sleep(0.3)


async def measure(quick: bool) -> dict[str, object]:
    with free_net() as net, tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as root:
        wish = Wish(DOMAIN, 3, BUCKETS, ipaddress.ip_network(net), "", Ports())
        decided = plan(wish, time.time(), os.urandom)
        make_folder(Path(root) / "fabric", decided.files, decided.configuration)
        fabric = Fabric(load(Path(root) / "fabric"))
        await fabric.start()
        try:
            moved = await under_load(fabric, MOVES_QUICK if quick else MOVES)
            return (
                moved
                | {"many": (mass := await many(fabric, *(MANY_QUICK if quick else MANY)))}
                | {"entries_per_s": mass["entries_per_s"]}
            )
        finally:
            await fabric.stop(*fabric.hosts)


def main() -> int:
    logging.disable(logging.CRITICAL)
    quick = "--quick" in sys.argv
    found = measure_million(quick) if "--million" in sys.argv else asyncio.run(measure(quick))
    if "--json" in sys.argv:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:<18} {value}")
    good = not found["lost"] and not found.get("doubled") and (found["pause_p99_s"] or 0) < PAUSE_SECONDS_MAX  # type: ignore[operator]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

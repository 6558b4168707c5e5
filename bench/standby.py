"""What a standby costs: messages accepted a second and how long a 250 takes, without one, preferred, required.
`--quick`, `--json`.

Law: three fabrics of two hosts, each host a process of its own, take turns on the same machine; nothing is delivered
while they are measured. What counts is the ratio to the fabric without a standby, in the same run: the median of the
rounds, for the machine may be busy. Both disks are one here, and every commit is flushed on it twice.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import uvloop

from bench.smtp_host import HeldRunner
from directory.hosts import with_standby
from heliograph import host as hosts
from heliograph.configuration.config import load
from heliograph.configuration.settings import FILE_NAME
from heliograph.demo.stage import stage
from heliograph.zone.file import draft
from mailbox_host import accounts

OWNER, STANDBY = "host-1", "host-2"
MODES = ("none", "preferred", "required")
TEXT = b"Subject: bench %d\r\n\r\n" + (b"y" * 76 + b"\r\n") * 26 + b".\r\n"  # 2 KB
COMMANDS = b"MAIL FROM:<sender@peer.test>\r\nRCPT TO:<%b@fabric.test>\r\nDATA\r\n"
ROUNDS, ROUNDS_QUICK = 5, 3
LOADS = {1: (400, 1_500), 20: (2_000, 8_000)}  # connections -> messages, quick and not


class Side:
    """A host in a process of its own."""

    def __init__(self, root: Path, name: str) -> None:
        command = [sys.executable, __file__, "--side", str(root), name]
        log = (root / f"{name}.log").open("w")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1
        )
        self.address, self.port, self.user = "", 0, ""

    def find(self) -> None:
        """Wait until it is up."""
        self.address, self.port, self.user = self.ask("where").values()

    def ask(self, what: str) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(what + "\n")
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)


@dataclass
class Figures:
    """Of one mode with one load, a value for each round."""

    per_second: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)  # of the owner, for a message
    octets: list[float] = field(default_factory=list)  # shipped, for a message


@contextmanager
def fabric(mode: str) -> Iterator[Side]:
    """Two hosts, the first of which has that standby."""
    with stage(hosts=2) as here, ExitStack() as ends:
        if mode != "none":
            text = (here.root / FILE_NAME).read_text()
            (here.root / FILE_NAME).write_text(text.replace('# mode = "preferred" ', f'mode = "{mode}" '))
            draft(here.config, lambda zone: with_standby(zone, OWNER, STANDBY)).write()
        sides = [Side(here.root, name) for name in (STANDBY, OWNER)] if mode != "none" else [Side(here.root, OWNER)]
        for side in sides:  # the other transfers the zone from the owner: they start together
            ends.callback(side.close)
        for side in sides:
            side.find()
        while mode != "none" and sides[-1].ask("state")["phase"] != "in step":
            time.sleep(0.05)
        yield sides[-1]


async def send(side: Side, messages: int, took: list[float]) -> None:
    """One connection: one message after the other."""
    reader, writer = await asyncio.open_connection(side.address, side.port)
    await reader.readline()
    writer.write(b"HELO bench.test\r\n")
    await reader.readline()
    for n in range(messages):
        writer.write(COMMANDS % side.user.encode())
        for _ in range(3):
            line = await reader.readline()
        assert line.startswith(b"354"), line
        began = time.perf_counter()
        writer.write(TEXT % (n + int(began * 1e6)))
        line = await reader.readline()
        assert line.startswith(b"250"), line
        took.append(time.perf_counter() - began)
    writer.close()


async def measure(side: Side, connections: int, messages: int) -> tuple[float, list[float]]:
    took: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(send(side, messages // connections, took) for _ in range(connections)))
    return len(took) / (time.perf_counter() - began), sorted(took)


def run_round(side: Side, connections: int, messages: int, into: Figures) -> None:
    before = side.ask("state")
    per_second, took = uvloop.run(measure(side, connections, messages))
    after = side.ask("state")
    into.per_second.append(per_second)
    into.p50_ms.append(took[len(took) // 2] * 1e3)
    into.p99_ms.append(took[len(took) * 99 // 100] * 1e3)
    into.cpu_ms.append((after["cpu"] - before["cpu"]) / len(took) * 1e3)
    into.octets.append((after["octets"] - before["octets"]) / len(took))


def lines(quick: bool) -> Iterator[dict[str, Any]]:
    with ExitStack() as stages:
        sides = {mode: stages.enter_context(fabric(mode)) for mode in MODES}
        for connections, sizes in LOADS.items():
            messages = sizes[0 if quick else 1]
            found = {mode: Figures() for mode in MODES}
            for side in sides.values():
                run_round(side, connections, messages // 4, Figures())  # warm
            for _ in range(ROUNDS_QUICK if quick else ROUNDS):
                for mode, side in sides.items():
                    run_round(side, connections, messages, found[mode])
            alone = statistics.median(found["none"].per_second)
            for mode, figures in found.items():
                values = {name: round(statistics.median(row), 2) for name, row in vars(figures).items()}
                yield {"mode": mode, "connections": connections, **values, "ratio": values["per_second"] / alone}


async def serve(root: Path, name: str) -> None:
    """One host; answers what the measuring process asks."""
    host = hosts.Host(load(root), name)
    await host.start()
    zone = host.directory.current
    user = next(u for n in range(100) if zone.owner("timeline", zone.names.bucket(u := f"u{n}")) == OWNER)
    if name == OWNER:
        await host.store.write(lambda tx: accounts.add_many(tx, [(user, None)], 0.0))
    loop = asyncio.get_running_loop()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        state = host.sender.state()
        answer: dict[str, Any] = {"address": host.address, "port": host.config.ports.smtp, "user": user}
        if line == "state":
            answer = {"phase": state.phase if state else "", "octets": state.octets if state else 0}
            answer["cpu"] = time.process_time()
        print(json.dumps(answer), flush=True)
    await host.stop()


def main(arguments: list[str]) -> None:
    rows = []
    print("connections  mode        messages/s  ratio  250 p50 ms  p99 ms  CPU ms  octets shipped")
    for row in lines("--quick" in arguments):
        row["ratio"] = round(row["ratio"], 2)
        rows.append(row)
        figures = f"{row['p50_ms']:10.2f} {row['p99_ms']:8.2f} {row['cpu_ms']:7.2f} {row['octets']:11,.0f}"
        per_second = f"{row['per_second']:10,.0f} {row['ratio']:6.2f}"
        print(f"{row['connections']:11}  {row['mode']:10} {per_second} {figures}", flush=True)
    if "--json" in arguments:
        print(json.dumps({"lines": rows}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        hosts.Runner = HeldRunner  # type: ignore[misc]
        uvloop.run(serve(Path(sys.argv[2]), sys.argv[3]))
    else:
        main(sys.argv[1:])

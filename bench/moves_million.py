"""Ten thousand mailboxes with a million entries, from one host process to another: `bench/moves.py --million`.

Law: two real processes, mutual TLS between them, databases on this machine's disk. The source is filled while it is
down, straight into its tables. What is told of each process is its own: seconds of processor, and the most memory
that it had meanwhile.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

from bench.moves_fill import MANY, MANY_QUICK, fill
from directory.bucket import bucket_of
from heliograph.database import FILE_NAME
from heliograph.demo.stage import Stage, command_line, stage
from heliograph.tables import MIGRATIONS
from store import Store

LOOK_SECONDS = 0.1
GIVER, TAKER = "host-1", "host-2"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Process:
    """A host's process, and what it used."""

    popen: subprocess.Popen[str]
    cpu: float = 0.0
    rss: int = 0

    @classmethod
    def start(cls, here: Stage, name: str) -> Process:
        log = (here.root / f"{name}.log").open("a")
        popen = subprocess.Popen(
            command_line(here.root, "host", name), stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
        assert popen.stdout is not None and popen.stdout.readline() == "ready\n", here.root
        return cls(popen)

    def begin(self) -> None:
        """Count from here."""
        Path(f"/proc/{self.popen.pid}/clear_refs").write_text("5")
        self.cpu, self.rss = self._cpu(), self._memory("VmRSS")

    def used(self) -> dict[str, float]:
        return {
            "cpu_s": round(self._cpu() - self.cpu, 1),
            "rss_before_mb": self.rss // 1024,
            "rss_max_mb": self._memory("VmHWM") // 1024,
        }

    def stop(self) -> None:
        self.popen.terminate()
        self.popen.wait()

    def _cpu(self) -> float:
        fields = Path(f"/proc/{self.popen.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def _memory(self, which: str) -> int:
        lines = Path(f"/proc/{self.popen.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(which))


def measure_million(quick: bool) -> dict[str, object]:
    """All of host-1's mailboxes to host-2, by one edit of the zone."""
    many, entries, bodies = size = MANY_QUICK if quick else MANY
    with ExitStack() as scenery:
        here = scenery.enter_context(stage(hosts=2))
        paths = {name: here.config.host_folder(name) / FILE_NAME for name in (GIVER, TAKER)}
        began = time.perf_counter()
        with closing(Store(paths[GIVER], MIGRATIONS)) as store:
            fill(store, of_giver(here, many), entries, bodies)
        filling = time.perf_counter() - began
        hosts = {name: Process.start(here, name) for name in paths}
        for host in hosts.values():
            scenery.callback(host.stop)
            host.begin()
        began = time.perf_counter()
        give(here)
        while not is_given(paths[GIVER]):
            time.sleep(LOOK_SECONDS)
        seconds = time.perf_counter() - began
        used = {name: host.used() for name, host in hosts.items()}
        return told(paths, size, seconds) | {"filled_s": round(filling, 1), **used}


def of_giver(here: Stage, many: int) -> list[str]:
    """So many names in buckets that the zone gives to the giver."""
    buckets = here.config.buckets
    rows = re.findall(rf"(?m)^b([0-9]+)\.timeline\s+MX\s+10\s+{GIVER}\b", here.config.zone_file.read_text())
    mine = frozenset(map(int, rows))
    return list(islice((name for name in map("u{}".format, count()) if bucket_of(name, buckets) in mine), many))


def give(here: Stage) -> None:
    zone = here.config.zone_file
    zone.write_text(re.sub(rf"(?m)^(b[0-9]+\.timeline\s+MX\s+10\s+){GIVER}\b", rf"\g<1>{TAKER}", zone.read_text()))
    here.ask("zone", "reload")


def is_given(giver: Path) -> bool:
    left = "SELECT 1 FROM holding WHERE map = 'timeline' AND state IN ('owner', 'sealed') LIMIT 1"
    return not rows(giver, left)


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
        return database.execute(sql).fetchall()


def told(paths: dict[str, Path], size: tuple[int, int, int], seconds: float) -> dict[str, object]:
    many, entries, bodies = size
    sums = "SELECT count(*), sum(uid), sum(e.modseq), sum(flags) FROM entry e JOIN account a ON a.id = account WHERE "
    there, left = rows(paths[TAKER], sums + "NOT away"), rows(paths[GIVER], sums + "away")
    moved = rows(paths[GIVER], "SELECT detail FROM event WHERE kind = 'moved'")
    pauses = sorted(json.loads(detail)["pause"] for (detail,) in moved)
    return {
        "accounts": many,
        "entries": many * entries,
        "bodies": bodies,
        "seconds": round(seconds, 1),
        "entries_per_s": round(many * entries / seconds),
        "bodies_per_s": round(bodies / seconds),
        "pause_p99_s": round(pauses[int(len(pauses) * 0.99)], 3),
        "lost": many * entries - there[0][0],
        "same": there == left,
    }

"""Owners and standbys that are killed at random, and what must be true then."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

from heliograph.standby.replicas import Replicas

CHILD = Path(__file__).parent / "child.py"
WAIT_SECONDS_MAX = 30.0


class Two:
    """An owner's process and its standby's."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.told: set[int] = set()
        self._chance = random.Random(seed)
        self._lives = 0
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._hearing: list[threading.Thread] = []

    def start(self, role: str) -> None:
        self._lives += 1
        command = [sys.executable, str(CHILD), role, str(self.folder), str(self._lives * 1_000_000)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=Path.cwd())
        self._processes[role] = process
        thread = threading.Thread(target=self._hear, args=(process,))
        thread.start()
        self._hearing.append(thread)

    def kill(self, *roles: str) -> None:
        for role in roles or list(self._processes):
            self._processes[role].kill()
        for role in roles or list(self._processes):
            self._processes.pop(role).wait()

    def run(self, kills: int) -> None:
        """Kill one or both, again and again; each time only after something more was acknowledged."""
        self.start("standby")
        self.start("owner")
        for _ in range(kills):
            self.more()
            time.sleep(self._chance.random() * 0.2)
            roles = self._chance.choice([("owner",), ("standby",), ("owner", "standby")])
            self.kill(*roles)
            for role in roles:
                self.start(role)
        self.more()
        self.end()

    def end(self) -> None:
        """Kill both, and hear all that they said."""
        self.kill()
        for thread in self._hearing:
            thread.join()

    async def lose(self) -> None:
        """The owner's disk is lost: nothing that was acknowledged is."""
        with contextlib.closing(sqlite3.connect(self.folder / "owner.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert self.told <= {n for (n,) in connection.execute("SELECT n FROM word")}
        (self.folder / "owner.db").unlink()
        replicas = Replicas(self.folder / "standby")
        async with replicas.lend("host-1") as path:
            with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                held = {n for (n,) in connection.execute("SELECT n FROM word")}
        await replicas.close()
        assert self.told and self.told <= held, len(self.told - held)

    def more(self) -> None:
        """Wait until something more was acknowledged."""
        known, give_up = len(self.told), time.monotonic() + WAIT_SECONDS_MAX
        while len(self.told) < known + 20:
            assert time.monotonic() < give_up, "nothing is acknowledged any more"
            time.sleep(0.005)

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        for line in process.stdout:
            if line.endswith(b"\n"):
                self.told.add(int(line))


def kill_at_random(folder: Path, seed: int, kills: int) -> int:
    """Return how many writes were acknowledged, none of which is lost."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    two = Two(folder, seed)
    try:
        two.run(kills)
    finally:
        two.kill()
    asyncio.run(two.lose())
    return len(two.told)

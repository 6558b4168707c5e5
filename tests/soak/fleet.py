"""A fabric's hosts as processes, to be killed and started again.

Law: no process outlives the test, however it ends: each holds the reading end of a pipe of ours.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from heliograph.demo.stage import Stage, command_line

READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0


class Fleet:
    """The hosts of a stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.names = [host.name for host in stage.config.hosts]
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._life, self._hold = os.pipe()
        self._log = (stage.root / "log").open("a")
        self.kills = 0

    async def start(self, name: str) -> None:
        """Start a host's process, without waiting until it accepts."""
        self._processes[name] = await asyncio.create_subprocess_exec(
            *self.line(name, "host", name, "--life-fd", str(self._life)),
            stdout=asyncio.subprocess.PIPE,
            stderr=self._log,
            pass_fds=(self._life,),
            start_new_session=True,
            env=self.environment(name),
        )

    def line(self, name: str, *arguments: str) -> list[str]:
        """How a host's process is begun."""
        return command_line(self.stage.root, *arguments)

    def environment(self, name: str) -> dict[str, str]:
        return dict(os.environ)

    async def ready(self, name: str) -> None:
        """Wait until a started host accepts."""
        output = self._processes[name].stdout
        assert output is not None
        async with asyncio.timeout(READY_SECONDS_MAX):
            said = await output.readline()
        assert said == b"ready\n", f"{name} did not come up:\n{self.stage.log()[-4000:]}"

    async def kill(self, name: str, *, anyway: bool = False) -> None:
        """kill -9, and wait until the process is gone. `anyway`: it may have ended by itself."""
        process = self._processes[name]
        assert anyway or process.returncode is None, f"{name} ended by itself:\n{self.stage.log()[-4000:]}"
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        self.kills += 1

    async def stop(self) -> list[int]:
        """End all gracefully; return their exit codes."""
        for process in self._processes.values():
            if process.returncode is None:
                process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS_MAX):
                return [await process.wait() for process in self._processes.values()]
        finally:
            for process in self._processes.values():
                if process.returncode is None:
                    process.kill()

    def close(self) -> None:
        os.close(self._hold)
        os.close(self._life)
        self._log.close()

    def database(self, name: str) -> Path:
        return self.stage.config.host_folder(name) / "heliograph.db"

    def all(self, name: str, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Look into a host's database."""
        with closing(sqlite3.connect(f"file:{self.database(name)}?mode=ro", uri=True, timeout=30)) as database:
            return database.execute(sql, values).fetchall()

    def state(self) -> tuple[int, tuple[object, ...]]:
        """How many messages are queued on all hosts, and where their events stand: what moves leaves an event."""
        rows = [
            self.all(name, "SELECT (SELECT count(*) FROM queue_message), (SELECT max(seq) FROM event)")[0]
            for name in self.names
        ]
        return sum(int(str(row[0])) for row in rows), tuple(row[1] for row in rows)

    async def still(self, seconds: float = 120.0) -> None:
        """Wait until nothing is queued anywhere, trying what is put off again and again."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + seconds
        while True:
            first = self.state()
            await asyncio.sleep(0.3)
            if first[0] == 0 and self.state() == first:
                return
            assert loop.time() < give_up, f"still queued: {self.stage.command('queue', 'list').stdout}"
            await asyncio.to_thread(self.stage.command, "queue", "retry", "--all")

"""A process per host, started again when it dies.

Law: no host outlives this process: each holds the reading end of a pipe whose other end closes with us, however we end.
A host that cannot even start the first time ends everything with its own exit code; later it is tried for ever.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from heliograph import exits

BACK_OFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # a host that dies at once must not heat the machine
STEADY_SECONDS = 60.0  # a host that lived so long starts from the shortest pause again
STOP_SECONDS_MAX = 20.0  # a graceful end takes less than one; then it is killed, which loses nothing

READY_LINE = "ready"


class Fleet:
    """The hosts of one machine."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self._root = root
        self._keepers = [Keeper(root, name) for name in names]
        self._stop = asyncio.Event()

    async def run(self, life_fd: int | None = None) -> int:
        """Run until a signal, until a host cannot start, or until the other end of `life_fd` is closed; return the exit
        code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._pass_on, signal.SIGHUP)
        if life_fd is not None:
            loop.add_reader(life_fd, self._stop.set)  # nobody writes there: what makes it readable is its end
        keeping = [asyncio.create_task(keeper.keep()) for keeper in self._keepers]
        stopping = asyncio.create_task(self._stop.wait())
        announcing = asyncio.create_task(self._announce())
        try:
            await asyncio.wait([*keeping, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            announcing.cancel()
            await asyncio.gather(*(keeper.stop() for keeper in self._keepers))
        codes = await asyncio.gather(*keeping)
        return next((code for code in codes if code), exits.OK)

    async def _announce(self) -> None:
        await asyncio.gather(*(keeper.ready.wait() for keeper in self._keepers))
        print(READY_LINE, flush=True)

    def _pass_on(self, number: int) -> None:
        for keeper in self._keepers:
            keeper.signal(number)


class Keeper:
    """Keeps one host running."""

    def __init__(self, root: Path, name: str) -> None:
        self.ready = asyncio.Event()  # set once, at the first time
        self._root, self._name = root, name
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()  # while a process is being made, it cannot be ended yet
        self._stopping = asyncio.Event()

    async def keep(self) -> int:
        """Start the host again and again; return 0 after `stop`, its exit code where it never came up."""
        deaths = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._live()
            if self._stopping.is_set():
                break
            if not self.ready.is_set():
                print(f"{self._name} cannot start", file=sys.stderr, flush=True)
                return code if code > 0 else exits.SOFTWARE
            deaths = 1 if time.monotonic() - began > STEADY_SECONDS else deaths + 1
            await self._pause(code, BACK_OFF_SECONDS[min(deaths, len(BACK_OFF_SECONDS)) - 1])
        return exits.OK

    async def stop(self) -> None:
        """End the host, gracefully if it can."""
        self._stopping.set()
        async with self._starting:
            process = self._process
        if process is None:
            return
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await process.wait()
        except TimeoutError:
            print(f"{self._name} does not end: killed", file=sys.stderr, flush=True)
            self.signal(signal.SIGKILL)
            await process.wait()

    def signal(self, number: int) -> None:
        if self._process and self._process.returncode is None:
            self._process.send_signal(number)

    async def _live(self) -> int:
        """One life of the host, from its start to its exit code."""
        told, telling = os.pipe()
        life, hold = os.pipe()
        try:
            async with self._starting:
                process = self._process = await self._start(telling, life)
        finally:
            os.close(telling)
            os.close(life)
        hearing = asyncio.create_task(self._hear(told))
        try:
            return await process.wait()
        finally:
            os.close(hold)
            await hearing

    async def _start(self, telling: int, life: int) -> asyncio.subprocess.Process:
        # -P: what lies in the folder that `up` was typed in is no part of the program, whatever it is called (dns.py)
        arguments = ["-P", "-m", "heliograph", "-C", str(self._root), "host", self._name]
        pipes = ["--ready-fd", str(telling), "--life-fd", str(life)]
        # its own session: Ctrl-C at the terminal reaches us alone, and we end the hosts in order
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            *pipes,
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(telling, life),
            start_new_session=True,
        )

    async def _hear(self, told: int) -> None:
        """Wait for the host's word that it accepts; its end closes the pipe."""
        reader = asyncio.StreamReader()
        pipe = os.fdopen(told, "rb", 0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        if await reader.readline():
            self.ready.set()
        transport.close()

    async def _pause(self, code: int, seconds: float) -> None:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        print(f"{self._name} {how}: it is started again in {seconds:g} s", file=sys.stderr, flush=True)
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

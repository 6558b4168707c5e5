"""Parsing processes: a few, started when first needed, killed when they take too long.

Law: nothing that a document does to its process reaches the host: it gets a value or `Stalled`. A process starts
afresh (no fork of the host's memory, no descriptor but its two pipes) and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ingest.items import ANSWER, QUESTION, Article, Item, Reading, item_of, reading_of
from ingest.settings import Settings

ANSWER_OCTETS_MAX = 64 << 20  # 5 MB of feed become at most some 30 MB of sanitised HTML, as JSON
DOCUMENTS_MAX = 2_000  # of one process: what a library leaks goes with it; starting one costs as much as 100
END_SECONDS = 5.0  # a process that closed its output is about to end
WALL_FACTOR = 6  # seconds on the clock for one of CPU: a busy machine is no hostile document


class Stalled(Exception):
    """The document ended its process; the message says how, for the person who asked for it."""


class Document:
    """A document that is held by a process: what is listed in it, and the items that are wanted."""

    def __init__(self, worker: _Worker, reading: Reading, told: dict[int, Item]) -> None:
        self._worker = worker
        self._told = told
        self.reading = reading

    async def render(self, indexes: Sequence[int]) -> list[Item]:
        """Return items by their place in the listing."""
        wanted = [index for index in indexes if index not in self._told]
        told = await self._worker.ask({"render": wanted}) if wanted else []
        items = self._told | dict(zip(wanted, map(item_of, told), strict=True))
        return [items[index] for index in indexes]


class WorkerPool:
    """Hands out a process per document, `workers_max` at once."""

    def __init__(self, settings: Settings) -> None:
        self._seconds = settings.parse_seconds_max
        self._free = asyncio.Semaphore(settings.workers_max)
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._dying: set[_Worker] = set()  # killed, and not yet known to have ended

    @asynccontextmanager
    async def reading(
        self, content: bytes, url: str, content_type: str, known: Iterable[int] = ()
    ) -> AsyncIterator[Document]:
        """Read a document, all but the items whose octets are `known`; its process is held until the end of the block.
        Raise Stalled."""
        async with self._free:
            worker = await self._take()
            sound = False
            try:
                question = {"url": url, "content_type": content_type, "known": [*known], "seconds": self._seconds}
                answer = await worker.ask(question, content)
                told = {int(place): item_of(each) for place, each in answer.get("told", ())}
                yield Document(worker, reading_of(answer), told)
                sound = True
            finally:
                self._put_back(worker, sound)

    async def article(self, content: bytes, url: str, content_type: str) -> Article | None:
        """Return the article of a page, None where there is none. Raise Stalled."""
        async with self._free:
            worker = await self._take()
            sound = False
            try:
                question = {"article": url, "content_type": content_type, "seconds": self._seconds}
                told = await worker.ask(question, content)
                sound = True
                return Article(*told) if told else None
            finally:
                self._put_back(worker, sound)

    async def close(self) -> None:
        """End all processes."""
        for worker in (*self._all, *self._dying):
            await worker.end()
        self._all.clear()
        self._dying.clear()
        self._idle.clear()

    async def _take(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.lives:
                return worker
            self._all.discard(worker)
        worker = await _Worker.start(self._seconds * WALL_FACTOR)
        self._all.add(worker)
        return worker

    def _put_back(self, worker: _Worker, sound: bool) -> None:
        if sound and worker.lives and worker.documents < DOCUMENTS_MAX:
            self._idle.append(worker)
        else:
            worker.kill()
            self._all.discard(worker)
            self._dying = {each for each in (*self._dying, worker) if each.lives}


class _Worker:
    def __init__(self, process: asyncio.subprocess.Process, wall_seconds: float) -> None:
        self._process = process
        self._wall_seconds = wall_seconds
        self.documents = 0

    @classmethod
    async def start(cls, wall_seconds: float) -> _Worker:
        environment = {"PYTHONPATH": str(Path(__file__).parent.parent), "LC_ALL": "C.UTF-8"}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "ingest.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment | {name: os.environ[name] for name in ("SYSTEMROOT", "TMPDIR") if name in os.environ},
            start_new_session=True,  # a Ctrl-C at the host's terminal is the host's to answer
        )
        return cls(process, wall_seconds)

    @property
    def lives(self) -> bool:
        return self._process.returncode is None

    async def ask(self, question: dict[str, Any], document: bytes = b"") -> Any:
        self.documents += bool(document)
        try:
            async with asyncio.timeout(self._wall_seconds):
                return json.loads(await self._exchange(json.dumps(question).encode(), document))
        except TimeoutError:
            raise Stalled("it takes too long to read") from None
        except (asyncio.IncompleteReadError, OSError, ValueError):
            raise Stalled(await self._how_it_ended()) from None

    async def end(self) -> None:
        self.kill()
        await self._process.wait()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _exchange(self, told: bytes, document: bytes) -> bytes:
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in and pipe_out
        pipe_in.writelines((QUESTION.pack(len(told), len(document)) + told, document))  # wakes it once
        await pipe_in.drain()
        (size,) = ANSWER.unpack(await pipe_out.readexactly(ANSWER.size))
        if size > ANSWER_OCTETS_MAX:
            raise ValueError("answer too large")
        return await pipe_out.readexactly(size)

    async def _how_it_ended(self) -> str:
        """Wait for its end before killing it: a kill would take its exit status away from the event loop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                code = await self._process.wait()
            return "it takes too long to read" if code == -signal.SIGXCPU else "it cannot be read"
        return "it cannot be read"

"""Who is told, and when: at once, or after a standby holds the commit too.

Law: callers are told in the order of commits, also those whose work changed nothing: it may rest on what was not told
yet. Callbacks run when their commit holds, once, even where its caller was told to come again. Without a standby this
costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from store.transaction import Transaction

IN_STEP_COMMITS = 8  # so few on their way are what a busy host always has


class StoreFull(Exception):
    """The disk is full (or cannot be written); nothing was changed. Try again later. `word`: what a log calls it."""

    word = "disk full"


class StandbyBehind(StoreFull):
    """The standby that has to hold every write does not hold this one: as good as a full disk. Try again later; what
    was written may be found done then."""

    word = "standby away"


@dataclass(frozen=True, slots=True)
class Terms:
    """How far the standby counts. `required`: nothing is acknowledged without it. `patience_seconds`: how long a commit
    waits for it before it is called behind: then it is not waited for, or nothing is written."""

    required: bool
    patience_seconds: float


@dataclass(slots=True)
class Job:
    """One caller's work. `errand`: it is done between transactions, of its own kind."""

    work: Callable[[Transaction], Any]
    future: Future[Any] | asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop | None  # where the future and the callbacks belong; None: any thread's
    errand: bool = False
    result: Any = None
    error: Exception | None = None
    callbacks: list[Callable[[], object]] | None = None

    def tell(self) -> None:
        """Call back, then give the caller his result; a caller who was cancelled is not there any more."""
        callbacks, self.callbacks = self.callbacks, None
        for callback in callbacks or ():
            if self.loop is None:
                callback()
            else:
                self.loop.call_soon(callback)
        self.answer()

    def answer(self) -> None:
        """Give the caller his result, or what went wrong."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


@dataclass(slots=True)
class _Waiting:
    number: int
    at: float
    jobs: Sequence[Job]


class Telling:
    """Holds back what is to be told, under the terms of the standby, if there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # the writer's thread commits, the loop hears of the standby
        self._terms: Terms | None = None
        self._waiting: deque[_Waiting] = deque()
        self._last = 0
        self.is_behind = False

    @property
    def refuses(self) -> bool:
        """Whether nothing may be written now."""
        terms = self._terms
        return self.is_behind and terms is not None and terms.required

    @property
    def waits(self) -> bool:
        """Whether there is a standby at all."""
        return self._terms is not None

    def agree(self, terms: Terms | None) -> None:
        """From now on tell under these terms; None: there is no standby, and all are told."""
        with self._lock:
            self._terms, self.is_behind = terms, False
            told = self._take(self._last) if terms is None else []
        tell(told)

    def committed(self, number: int, jobs: Sequence[Job], now: float) -> None:
        """A group is on this disk."""
        with self._lock:
            self._last = number
            terms = self._terms
            waits = terms is not None and (terms.required or not self.is_behind)
            if waits:
                self._waiting.append(_Waiting(number, now, jobs))
        if not waits:
            tell(jobs)
        elif self.refuses:
            answer_behind(jobs)

    def held(self, number: int) -> bool:
        """The standby holds everything up to this commit; return whether it was behind until now."""
        with self._lock:
            told = self._take(number)
            back = self.is_behind and self._last - number <= IN_STEP_COMMITS
            if back:
                self.is_behind = False
        tell(told)
        return back

    def look(self, now: float) -> bool:
        """Do what a standby's silence asks for; return whether it is behind since now."""
        terms, waiting = self._terms, self._waiting
        if terms is None or self.is_behind or not waiting or now - waiting[0].at <= terms.patience_seconds:
            return False
        self.give_up()
        return True

    def give_up(self) -> None:
        """The standby is not waited for any more: nothing is told as done without it, or all is."""
        with self._lock:
            if self._terms is None:
                return
            self.is_behind = True
            told = [] if self._terms.required else self._take(self._last)
            failed = [job for waiting in self._waiting for job in waiting.jobs]
        tell(told)
        answer_behind(failed)

    def _take(self, number: int) -> list[Job]:
        told: list[Job] = []
        while self._waiting and self._waiting[0].number <= number:
            told += self._waiting.popleft().jobs
        return told


def answer_behind(jobs: Sequence[Job]) -> None:
    """Tell callers that it is not held; their callbacks wait until it is."""
    for job in jobs:
        job.error = job.error or StandbyBehind("the standby does not answer")
    _on_their_loops(jobs, Job.answer)


def tell(jobs: Sequence[Job]) -> None:
    """Tell the callers how their work ended."""
    _on_their_loops(jobs, Job.tell)


def _on_their_loops(jobs: Sequence[Job], act: Callable[[Job], None]) -> None:
    """Each where it belongs; all those of a loop by waking it once, for that costs more than everything else here."""
    loops: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        if job.loop is None:
            act(job)
        else:
            loops.setdefault(job.loop, []).append(job)
    for loop, theirs in loops.items():
        if loop is _running_loop():
            _all(theirs, act)
        else:
            with contextlib.suppress(RuntimeError):  # a closed loop has nobody left to be told
                loop.call_soon_threadsafe(_all, theirs, act)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _all(jobs: Sequence[Job], act: Callable[[Job], None]) -> None:
    for job in jobs:
        act(job)

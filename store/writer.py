"""Group commit: one thread does everybody's writing and pays for one flush.

Law: a caller is told only after COMMIT returned (the WAL is flushed). Work that raises is rolled back to its own
SAVEPOINT and fails alone; a failed COMMIT fails everyone in the group, with nothing changed.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from store.transaction import Transaction

T = TypeVar("T")

GROUP_JOBS_MAX = 512  # bounds the time that the first of a group waits for its flush


class StoreFull(Exception):
    """The disk is full (or cannot be written); nothing was changed. Try again later."""


@dataclass(slots=True)
class _Job:
    work: Callable[[Transaction], Any]
    future: Future[Any]
    loop: asyncio.AbstractEventLoop | None
    result: Any = None
    callbacks: list[Callable[[], object]] | None = None


class Writer:
    """The thread that owns the writing connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Transaction], T], loop: asyncio.AbstractEventLoop | None) -> Future[T]:
        """Queue work; its after_commit callbacks run on `loop`, or in this thread where there is none."""
        if self._closed:
            raise RuntimeError("the store is closed")
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # from here on cancelling cannot half-undo it
        self._jobs.put(_Job(work, future, loop))
        return future

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            self._thread.join()
            self._connection.close()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            group, last = self._gather(job)
            self._commit(group)
            if last:
                return

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        """Take what is waiting now; a group never waits for more to come."""
        group = [first]
        while len(group) < GROUP_JOBS_MAX:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return group, False
            if job is None:
                return group, True
            group.append(job)
        return group, False

    def _commit(self, group: list[_Job]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            finished = [job for job in group if self._perform(job)]
            self._connection.execute("COMMIT")
        except Exception as error:
            self._abandon(group, error)
        else:
            for job in finished:
                _announce(job)

    def _perform(self, job: _Job) -> bool:
        """Run one job in its SAVEPOINT; False where it failed alone. A lost transaction is raised for all."""
        transaction = Transaction(self._connection)
        try:
            job.result = transaction.nested(job.work)
        except Exception as error:
            if not self._connection.in_transaction:  # SQLite gave the whole group up (disk full, I/O error)
                raise
            job.future.set_exception(_told(error))
            return False
        job.callbacks = transaction.callbacks
        return True

    def _abandon(self, group: list[_Job], error: Exception) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        for job in group:
            if not job.future.done():
                job.future.set_exception(_told(error))


def is_full(error: BaseException) -> bool:
    """Tell whether an error met inside a piece of work is the disk's: let it raise, the caller will hear StoreFull."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


def _told(error: Exception) -> Exception:
    """Give a full or failing disk a name of its own."""
    if is_full(error):
        full = StoreFull(str(error))
        full.__cause__ = error
        return full
    return error


def _announce(job: _Job) -> None:
    for callback in job.callbacks or ():
        if job.loop is None:
            callback()
        elif not job.loop.is_closed():
            job.loop.call_soon_threadsafe(callback)
    job.future.set_result(job.result)

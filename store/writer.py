"""Group commit: one thread does everybody's writing and pays for one flush.

Law: a caller is told only after COMMIT returned (the WAL is flushed), and, where a standby counts, after it has it too
(`telling.py`). Work that raises is rolled back to its own SAVEPOINT and fails alone; a failed COMMIT fails everyone in
the group, with nothing changed.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from store.telling import Job, StoreFull, Telling, answer_behind, tell
from store.transaction import Transaction

T = TypeVar("T")

# 32 MB of WAL before its pages are copied into the database: most are written again and again, and copied once.
CHECKPOINT_PAGES = 8_192
GROUP_JOBS_MAX = 512  # bounds the time that the first of a group waits for its flush


class Writer:
    """The thread that owns the writing connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.commits = 0  # counted before anybody is told of one
        self.commit_seconds = 0.0  # what they took, from the first statement until they were on disk
        self.telling = Telling()
        self.after_commit: Callable[[Transaction, int], object] = nothing  # in this thread, between transactions
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        """Queue work for a caller without an event loop; its callbacks run in the writer's thread."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # from here on cancelling cannot half-undo it
        self._put(Job(work, future, None))
        return future

    def submit_on(self, loop: asyncio.AbstractEventLoop, work: Callable[[Transaction], T]) -> asyncio.Future[T]:
        """Queue work for a caller on this, the running loop; its callbacks run there."""
        future: asyncio.Future[T] = loop.create_future()
        self._put(Job(work, future, loop))
        return future

    def between(self, work: Callable[[Transaction], T]) -> Future[T]:
        """Queue an errand: it runs in the writer's thread while there is no transaction, whatever the standby does."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        self._put(Job(work, future, None, errand=True))
        return future

    def _put(self, job: Job) -> None:
        if self._closed:
            raise RuntimeError("the store is closed")
        self._jobs.put(job)

    def close(self, last: Callable[[], object] = lambda: None) -> None:
        """Finish what was submitted. `last`: is called when nothing more is written, before the connection goes."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            self._thread.join()
            last()
            self._connection.close()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            group, last = self._gather(job)
            if work := [job for job in group if not job.errand]:
                self._commit(work)
            for job in group:
                if job.errand:
                    self._run_errand(job)
            if last:
                return

    def _gather(self, first: Job) -> tuple[list[Job], bool]:
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

    def _commit(self, group: list[Job]) -> None:
        if self.telling.refuses:
            return answer_behind(group)
        began = time.perf_counter()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in group:
                self._perform(job, len(group) == 1)
            self._connection.execute("COMMIT")
            self.commits += 1
            self.commit_seconds += time.perf_counter() - began
        except Exception as error:
            self._abandon(group, error)
            return tell(group)
        self.telling.committed(self.commits, group, time.monotonic())
        self.after_commit(Transaction(self._connection), self.commits)
        return None

    def _perform(self, job: Job, is_alone: bool) -> None:
        """Run one job in its SAVEPOINT, so that it fails alone; one that is alone needs none. A lost transaction is
        raised for all."""
        transaction = Transaction(self._connection)
        try:
            job.result = job.work(transaction) if is_alone else transaction.nested(job.work)
        except Exception as error:
            if is_alone or not self._connection.in_transaction:  # SQLite gave the group up (disk full, I/O error)
                raise
            job.error = _told(error)
        else:
            job.callbacks = transaction.callbacks

    def _run_errand(self, job: Job) -> None:
        try:
            job.result = job.work(Transaction(self._connection))
        except Exception as error:
            job.error = error
        tell([job])

    def _abandon(self, group: list[Job], error: Exception) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        for job in group:
            job.error = job.error or _told(error)
            job.callbacks = None


def is_full(error: BaseException) -> bool:
    """Tell whether an error met inside a piece of work is the disk's: let it raise, the caller will hear StoreFull."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


def _told(error: Exception) -> Exception:
    """What a caller hears: a full or failing disk has a name of its own."""
    if is_full(error):
        full = StoreFull(str(error))
        full.__cause__ = error
        return full
    if isinstance(error, StopIteration):  # no future takes one: whoever is told after it would never be
        fault = RuntimeError("work ended in a StopIteration")
        fault.__cause__ = error
        return fault
    return error


def nothing(tx: Transaction, number: int) -> None:
    """No standby reads along."""

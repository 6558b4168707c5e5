"""A database of another host, lent for reading: a store that takes no writes.

Law: the file is not written, by any way: it is opened read-only, as one that does not change, and there is no writer.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from store.database import READER_THREADS, Reader, StoreFull, open_reader
from store.transaction import Transaction

T = TypeVar("T")


class ReadOnly(StoreFull):
    """Nothing can be written here: whoever can do without goes on, as where the disk is full."""


class LentStore:
    """Readers of one file, for as long as it is lent."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._readers: list[Reader] = []
        self._pool = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="lent-reader")

    @property
    def reader(self) -> Reader:
        """This thread's reader."""
        reader: Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = open_reader(self._path)
            self._readers.append(reader)
        return reader

    async def read(self, query: Callable[[Reader], T]) -> T:
        """Run a long query in a reader thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: query(self.reader))

    async def write(self, work: Callable[[Transaction], T]) -> T:
        raise ReadOnly("this is a copy of another host's database")

    def close(self) -> None:
        """Let queries finish that have begun, then close the file."""
        self._pool.shutdown(cancel_futures=True)
        for reader in self._readers:
            reader.connection.close()

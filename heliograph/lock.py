"""The lock on a host's folder: whoever holds it, and nobody else, opens the host's database.

Law: one process owns a host. The kernel gives the lock back when its holder dies, however it dies.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

FILE_NAME = "lock"


class Locked(Exception):
    """Another process owns the host; the message says which."""


class HostLock:
    """Hold a host's lock from `take` to `release`, or in a with statement."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._handle = -1

    def take(self) -> HostLock:
        """Take the lock, or raise Locked."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
            os.close(handle)
            raise Locked(f"{self._path.parent.name} is in the hands of process {holder or 'unknown'}") from None
        with suppress(OSError):  # who holds it is a courtesy: a full disk must not keep the host down
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle = handle
        return self

    def release(self) -> None:
        """Give the lock back. The file stays: taking it away would let two processes hold two locks."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> HostLock:
        return self.take()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

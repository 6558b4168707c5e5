"""Watches the operator's zone file.

Law: a file is read when two looks in a row see the same; half of an edit is nobody's zone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from store.durable_files import AS_UMASK_SAYS, replace_durably

log = logging.getLogger(__name__)

Look = tuple[int, int, int] | None  # inode, time of change, size; None: not there


class LiveFile:
    """The file at `path`, replaced by rename or written in place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: Look = None

    def forget(self) -> None:
        """Have it read again at the next look."""
        self._read = None

    def content(self) -> bytes | OSError:
        """Read it, and remember which version that was."""
        self._read = look(self.path)
        try:
            return self.path.read_bytes()
        except OSError as wrong:
            return wrong

    def is_as_read(self) -> bool:
        """Tell whether the file is still the version that was read last."""
        return look(self.path) == self._read

    def set_aside(self) -> Path:
        """Leave a second name to the version that was read last."""
        aside = self.path.with_name(f"{self.path.name}.{time.strftime('%Y%m%dT%H%M%S')}")
        aside.write_bytes(self.path.read_bytes())
        return aside

    def write(self, content: bytes) -> None:
        """Put another version in its place, which then counts as read. OSError: nothing changed."""
        replace_durably(self.path, content, AS_UMASK_SAYS)
        self._read = look(self.path)

    async def watch(self, poll_seconds: float, changed: Callable[[bytes | OSError], Awaitable[None]]) -> None:
        """Call `changed` with the content whenever another version has settled."""
        before: Look = self._read
        while True:
            await asyncio.sleep(poll_seconds)
            now = look(self.path)
            if now == before and now != self._read:
                try:
                    await changed(await asyncio.to_thread(self.content))
                except Exception:  # a surprise in one version must not end the watch for the next
                    log.exception("dns: %s could not be taken", self.path)
            before = now


def look(path: Path) -> Look:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size

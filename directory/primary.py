"""Watches the operator's zone file.

Law: a file is read when two looks in a row see the same; half of an edit is nobody's zone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

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

"""Carries out a dynamic update: in the operator's file, then in what is served.

Law: what the operator wrote a moment ago comes before the update, and is never lost to it: a file that changed while
the update was being worked out is read again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from directory import wire
from directory.amend import Amended, amend
from directory.edition import Edition, edit
from directory.primary import LiveFile
from directory.problem import Problem
from directory.served import Served
from directory.settings import Settings
from directory.update import Refused, Update

log = logging.getLogger(__name__)

TRIES_MAX = 3  # an editor that saves in the same millisecond again and again is none

Take = Callable[[Edition | tuple[Problem, ...], str], Awaitable[None]]


class Editor:
    """Works for the primary, one update at a time: the caller holds the lock."""

    def __init__(self, settings: Settings, served: Served, take: Take) -> None:
        self._settings, self._served, self._take = settings, served, take

    async def change(self, live: LiveFile, update: Update) -> Refused | None:
        """Return None once the change is on disk and served."""
        for _ in range(TRIES_MAX):
            content = await asyncio.to_thread(live.content)
            if isinstance(content, OSError):
                return Refused(wire.SERVFAIL, f"{live.path} cannot be read: {content.strerror}")
            if wrong := await self._take_first(live, content):
                return wrong
            assert self._served.kept
            arguments = (content, update, self._settings.domain, self._settings.buckets, self._served.kept)
            amended = await asyncio.to_thread(amend, *arguments)
            if not isinstance(amended, Amended):
                return amended
            if live.is_as_read():
                return await self._write(live, amended)
        return Refused(wire.SERVFAIL, f"{live.path} is being edited")

    async def _take_first(self, live: LiveFile, content: bytes) -> Refused | None:
        settings = self._settings
        result = await asyncio.to_thread(edit, content, settings.domain, settings.buckets, self._served.kept)
        await self._take(result, str(live.path))
        if not self._served.problems:
            return None
        return Refused(wire.SERVFAIL, f"mend the zone file first: {self._served.problems[0].shown(str(live.path))}")

    async def _write(self, live: LiveFile, amended: Amended) -> Refused | None:
        try:
            if not amended.in_place:
                aside = await asyncio.to_thread(live.set_aside)
                log.warning("dns: %s could not be edited in place: it is all new, the old one is %s", live.path, aside)
            await asyncio.to_thread(live.write, amended.content)
        except OSError as wrong:
            return Refused(wire.SERVFAIL, f"{live.path} cannot be written: {wrong.strerror}")
        await self._take(amended.edition, str(live.path))
        return Refused(wire.SERVFAIL, self._served.problems[0].text) if self._served.problems else None

"""The zone that a host serves and routes by, and what is not well with it.

Law: an edition is on disk before it is served; a bad one is reported, once, and changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from directory import copy
from directory.copy import Kept
from directory.edition import Edition
from directory.problem import Problem
from directory.snapshot import Directory

log = logging.getLogger(__name__)

Callback = Callable[[Directory], None]


class Served:
    """`show` makes the servers go by an edition. `problems`: why the latest zone is not the one that is served, if so;
    `warnings`: what is not well with the one that is."""

    def __init__(self, path: Path, domain: str, show: Callable[[Kept], None]) -> None:
        self.problems: tuple[Problem, ...] = ()
        self.warnings: tuple[Problem, ...] = ()
        self.current: Directory | None = None
        self.kept: Kept | None = None
        self._path, self._domain, self._show_it = path, domain, show
        self._callbacks: list[Callback] = []

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Call back with every new directory, on the loop; return the way to end that."""
        self._callbacks.append(callback)

        def unsubscribe() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return unsubscribe

    async def load(self) -> Kept | None:
        """Read what was kept."""
        return await asyncio.to_thread(copy.load, self._path, self._domain)

    async def take(self, result: Edition | tuple[Problem, ...], shown: str) -> bool:
        """Keep an edition, then serve it; or report why not. False: no copy could be kept, so try again later."""
        if not isinstance(result, Edition):
            self.report(result, shown)
            return True
        if result.changed or self.kept is None or self.kept.file_serial != result.kept.file_serial:
            try:
                await asyncio.to_thread(copy.keep, self._path, result.kept)
            except OSError as wrong:
                problem = Problem(0, f"no copy can be kept: {wrong.strerror}", "Make room on the disk.")
                self.report((problem,), str(self._path))
                return False
        self.kept, self.problems = result.kept, ()
        for warning in result.warnings if result.changed else ():
            log.warning("dns: %s", warning.shown(shown))
        if result.changed or self.current is None:
            self.show(result)
        return True

    def show(self, edition: Edition) -> None:
        self.current, self.warnings = edition.directory, edition.warnings
        log.info("dns: serving %s, serial %d", self._domain, edition.kept.zone.serial)
        self._show_it(edition.kept)
        for callback in tuple(self._callbacks):
            try:
                callback(edition.directory)
            except Exception:  # one listener's fault is not the directory's
                log.exception("dns: a listener failed")

    def report(self, problems: tuple[Problem, ...], shown: str) -> None:
        if problems != self.problems:
            for problem in problems:
                log.error("dns: %s", problem.shown(shown))
        self.problems = problems

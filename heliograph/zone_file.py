"""The command's hand in the live zone: a change, judged as the hosts judge it, in the operator's own lines.

Law: nothing is written that the hosts would refuse; nothing that was edited meanwhile is written over. The primary
takes the file up within a second, and tells the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from directory import copy
from directory.copy import Kept
from directory.edition import Edition, edit
from directory.problem import errors
from directory.rewrite import rewrite
from directory.update import Nodes
from directory.zone import Zone, is_newer
from directory.zone_text import read_zone
from heliograph import exits
from heliograph.exits import CommandError
from heliograph.settings import Config


@dataclass(frozen=True, slots=True)
class Draft:
    """A new version of the zone file, judged and not written yet."""

    config: Config
    before: bytes
    content: bytes
    serial: int
    in_place: bool

    def write(self) -> int:
        """Put it in place; return its serial. CommandError where somebody edited the file meanwhile."""
        path = self.config.zone_file
        if path.read_bytes() != self.before:
            raise CommandError(exits.TEMPFAIL, f"{path}: was edited meanwhile, nothing was changed: repeat")
        copy.replace(path, self.content)
        return self.serial


def read_live(config: Config) -> tuple[bytes, Zone]:
    """Return the live zone file, and the zone. CommandError where it is not here, or holds a mistake."""
    path = config.zone_file
    if config.dns.primary is not None:
        text = "the zone's primary is a foreign server: make the change there"
        raise CommandError(exits.UNAVAILABLE, text)
    if not path.is_file():
        raise CommandError(exits.UNAVAILABLE, f"{path}: is not on this machine: run this where {config.primary} runs")
    content = path.read_bytes()
    reading = read_zone(content, config.domain)
    if reading.zone is None:
        raise CommandError(exits.CONFIG, reading.problems[0].shown(str(path)))
    return content, reading.zone


def draft(config: Config, change: Callable[[Zone], Nodes]) -> Draft:
    """Make a new version and judge it."""
    content, zone = read_live(config)
    kept = copy.load(config.host_folder(config.primary) / f"{config.domain}.zone", config.domain)
    before = kept or Kept(zone, zone.serial)
    newest = zone.serial if is_newer(zone.serial, before.zone.serial) else before.zone.serial
    serial = (newest + 1) & 0xFFFFFFFF
    text = rewrite(content, zone, change(zone), serial)
    edition = edit(text.content, config.domain, config.buckets, before)
    if not isinstance(edition, Edition):
        raise CommandError(exits.CONFIG, f"the zone would have a mistake: {errors(edition)[0].text}")
    return Draft(config, content, text.content, serial, text.in_place)

"""The command's hand in the live zone: a change, judged as the hosts judge it, in the operator's own lines, or asked of
a primary that is not ours.

Law: nothing is written that the hosts would refuse; nothing that was edited meanwhile is written over. The primary
takes the file up within a second, and tells the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from directory import copy
from directory.copy import Kept
from directory.edition import Edition, accept, edit
from directory.problem import errors
from directory.render import zone_text
from directory.rewrite import rewrite
from directory.update import Nodes
from directory.zone import Zone, is_newer
from directory.zone_text import read_zone
from heliograph import exits
from heliograph.configuration.settings import Config
from heliograph.control.desk import hosts_here
from heliograph.exits import CommandError
from heliograph.zone.request import difference, request
from store.durable_files import replace_durably


@dataclass(frozen=True, slots=True)
class Draft:
    """A new version of the zone, judged and not put in place yet."""

    content: bytes
    serial: int
    in_place: bool
    put: Callable[[], None]

    def write(self) -> int:
        """Put it in place; return its serial. CommandError where somebody changed the zone meanwhile."""
        self.put()
        return self.serial


def read_live(config: Config) -> tuple[bytes, Zone]:
    """Return the live zone file, and the zone. CommandError where it is not here, or holds a mistake."""
    path = config.zone_file
    if config.dns.primary is not None:
        zone = _transferred(config)
        return zone_text(zone, "as it was transferred").encode(), zone
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
    if config.dns.primary is not None:
        return _request(config, zone, change(zone))
    kept = copy.load(config.host_folder(config.primary) / f"{config.domain}.zone", config.domain)
    before = kept or Kept(zone, zone.serial)
    newest = zone.serial if is_newer(zone.serial, before.zone.serial) else before.zone.serial
    serial = (newest + 1) & 0xFFFFFFFF
    text = rewrite(content, zone, change(zone), serial)
    edition = edit(text.content, config.domain, config.buckets, before)
    if not isinstance(edition, Edition):
        raise CommandError(exits.CONFIG, f"the zone would have a mistake: {errors(edition)[0].text}")
    put = partial(_replace, config.zone_file, content, text.content)
    return Draft(text.content, serial, text.in_place, put)


def _replace(path: Path, before: bytes, content: bytes) -> None:
    if path.read_bytes() != before:
        raise CommandError(exits.TEMPFAIL, f"{path}: was edited meanwhile, nothing was changed: repeat")
    replace_durably(path, content)


def _request(config: Config, zone: Zone, nodes: Nodes) -> Draft:
    """The same for a zone that a foreign server has: it numbers the new version itself."""
    serial = (zone.serial + 1) & 0xFFFFFFFF
    wanted = Zone(zone.origin, nodes).with_serial(serial)
    judged = accept(wanted, config.buckets, None)
    if not isinstance(judged, Edition):
        raise CommandError(exits.CONFIG, f"the zone would have a mistake: {errors(judged)[0].text}")
    changes = difference(zone, nodes)
    content = zone_text(wanted, "as it was asked for").encode()
    return Draft(content, serial, True, partial(request, config, changes))


def _transferred(config: Config) -> Zone:
    """The newest copy of a host here."""
    found = None
    for name in hosts_here(config):
        kept = copy.load(config.host_folder(name) / f"{config.domain}.zone", config.domain)
        if kept and (found is None or is_newer(kept.zone.serial, found.serial)):
            found = kept.zone
    if found is None:
        raise CommandError(exits.UNAVAILABLE, "no host here has a zone yet: run this where one has started")
    return found

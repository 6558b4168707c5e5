"""A bucket given to another host: as the change of a zone, in the operator's file or asked of the primary.

Law: only the intent is written here; the hosts carry it out. A bucket gets the standby that its new host's buckets
have: what copies a host's disk copies the bucket with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from directory import copy, wire
from directory.amend import Amended, amend
from directory.copy import Kept
from directory.fabric import pairings, standbys_of
from directory.hosts import pair
from directory.primary import LiveFile
from directory.update import Refused, Update
from directory.wire import WireRecord
from directory.zone import Zone, make_rrset
from heliograph import exits
from heliograph.configuration.settings import Config
from heliograph.control.desk import hosts_here
from heliograph.exits import CommandError
from heliograph.zone.request import difference, request

Change = tuple[str, int, str]  # map, bucket, host


def remap(config: Config, changes: list[Change]) -> bool:
    """Write the change into the zone's file if the primary is on this machine, else send it there, signed; tell whether
    there was anything to change."""
    kept = _kept(config, config.primary)
    if config.dns.primary is None and config.zone_file.exists() and kept is not None:
        live = LiveFile(config.zone_file)
        content = live.content()
        if isinstance(content, OSError):
            raise CommandError(exits.NOINPUT, f"{config.zone_file}: {content.strerror}")
        update = Update((), tuple(_records(kept.zone, changes)))
        amended = amend(content, update, config.domain, config.buckets, kept)
        if isinstance(amended, Refused):
            raise CommandError(exits.CONFIG, f"{config.zone_file}: {amended.reason}")
        if isinstance(amended, Amended):
            live.write(amended.content)
        return isinstance(amended, Amended)
    found = next((kept for kept in (_kept(config, name) for name in hosts_here(config)) if kept), None)
    if found is None:
        raise CommandError(exits.UNAVAILABLE, "no host here has a zone yet: run this where one has started")
    zone, nodes = found.zone, dict(found.zone.nodes)
    for owner, ttl, _, after in _sets(zone, changes):
        nodes[owner] = {**nodes[owner], wire.MX: make_rrset(zone.origin, wire.MX, ttl, after)}
    wanted = difference(zone, nodes)
    request(config, wanted)
    return bool(wanted)


def _kept(config: Config, host: str) -> Kept | None:
    return copy.load(config.host_folder(host) / f"{config.domain}.zone", config.domain)


def _records(zone: Zone, changes: Iterable[Change]) -> Iterator[WireRecord]:
    """The MX of each bucket: those that go, and those that come."""
    for owner, ttl, before, after in _sets(zone, changes):
        for rdata in before:
            if rdata not in after:
                yield WireRecord(owner, wire.MX, wire.CLASS_NONE, 0, rdata)
        for rdata in after:
            yield WireRecord(owner, wire.MX, wire.CLASS_IN, ttl, rdata)


def _sets(zone: Zone, changes: Iterable[Change]) -> Iterator[tuple[bytes, int, tuple[bytes, ...], tuple[bytes, ...]]]:
    """A bucket's name, its TTL, the MX that it has, and those that it is to have."""
    standbys = standbys_of(pairings(zone))
    for which, bucket, host in changes:
        owner = wire.name_of(f"b{bucket}.{which}.{zone.domain}")
        there = zone.nodes.get(owner, {}).get(wire.MX)
        if there is None:
            raise CommandError(exits.DATA, f"b{bucket}.{which}: the zone has no such bucket")
        yield owner, there.ttl, there.rdatas, pair(zone, there.rdatas, host, standbys.get(host, ""))

"""Hosts that the operator has given up: what the zone says of them, and how a zone comes to say it.

Law: ``_lost.host-1.D TXT "v=1 heir=host-2"`` ends all that host-1 claims, and names one host, which is not lost itself,
for all that it had. Address and key of host-1 stay: what it signed before is still on its way, and it may come back.
"""

from __future__ import annotations

from directory import wire
from directory.fabric import LOST, MAPS, bucket_sets, label, lost_of, pair_of, pairings, standbys_of
from directory.hosts import pair
from directory.update import Nodes
from directory.zone import Zone, make_rrset


def with_heir(zone: Zone, host: str, heir: str) -> Nodes:
    """Give up a host: the heir is named for what the zone gives it, and for what it was heir of. As a standby it is
    taken out, for nobody should wait for it."""
    nodes, standbys = dict(zone.nodes), standbys_of(pairings(zone))
    for owner, rdatas in bucket_sets(zone):
        if host in pair_of(zone, rdatas):
            owned = pair_of(zone, rdatas)[0]
            named = heir if owned == host else owned
            standby = standbys.get(named, "")
            changed = pair(zone, rdatas, named, "" if standby == host else standby)
            mx = make_rrset(zone.origin, wire.MX, zone.nodes[owner][wire.MX].ttl, changed)
            nodes[owner] = {**nodes[owner], wire.MX: mx}
    for lost in (host, *(one for one, other in lost_of(zone).items() if other == host)):
        text = make_rrset(zone.origin, wire.TXT, zone.soa.ttl, (label(f"v=1 heir={heir}"),))
        nodes[LOST + label(lost) + zone.origin] = {wire.TXT: text}
    return nodes


def without_loss(zone: Zone, host: str) -> Nodes:
    """Let a host be one again. It owns nothing by that."""
    return {**zone.nodes, LOST + label(host) + zone.origin: {}}


def bucket_of(zone: Zone, host: str) -> tuple[str, bytes] | None:
    """The first bucket that names a host, first or second, and its wire name."""
    for owner, rdatas in bucket_sets(zone):
        if host in pair_of(zone, rdatas):
            which = next((of for of in MAPS if owner.endswith(label(of) + zone.origin)), MAPS[0])
            return f"{owner[1 : owner[0] + 1].decode()}.{which}", owner
    return None

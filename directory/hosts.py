"""A zone with a host more, a host less, or buckets elsewhere: what its records are to be then.

Law: pure: a zone in, its nodes out (`rewrite` puts them into the operator's lines). What does not concern the host or
the bucket stays as it is, the very same object.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Callable, Iterable, Mapping

from directory import wire
from directory.fabric import (
    LOST,
    MAIL,
    MAPS,
    bucket_name,
    bucket_sets,
    key_name,
    label,
    pair_of,
    pairings,
    standbys_of,
)
from directory.rdata import TXT_OCTETS_MAX
from directory.snapshot import HostRecord, Map
from directory.update import Nodes
from directory.zone import Node, Zone, make_rrset

OWNER, STANDBY = 10, 20  # preferences, as in `init`'s example


def with_owners(zone: Zone, which: Map, owners: Mapping[int, str]) -> Nodes:
    """Give buckets to hosts; each gets the standby that its new host's buckets have. The rank and the TTL stay."""
    nodes = dict(zone.nodes)
    standbys = standbys_of(pairings(zone))
    for bucket, host in owners.items():
        name = bucket_name(zone, which, bucket)
        rdatas = pair(zone, zone.nodes[name][wire.MX].rdatas, host, standbys.get(host, ""))
        _put(nodes, zone.origin, name, wire.MX, 0, rdatas)
    return nodes


def with_standby(zone: Zone, host: str, standby: str) -> Nodes:
    """Give a host a standby, or none (""): it is the second MX of every bucket that the zone gives the host."""
    nodes = dict(zone.nodes)
    for owner, rdatas in bucket_sets(zone):
        if pair_of(zone, rdatas)[0] == host:
            _put(nodes, zone.origin, owner, wire.MX, 0, pair(zone, rdatas, host, standby))
    return nodes


def pair(zone: Zone, rdatas: tuple[bytes, ...], host: str, standby: str) -> tuple[bytes, ...]:
    """The MX of a bucket that a host owns, with its standby if it has one. The rank stays."""
    first = min(rdatas)[:2]
    rank = max(int.from_bytes(first, "big") + 1, STANDBY)
    second = (rank.to_bytes(2, "big") + _host(zone, standby),) if standby else ()
    return (first + _host(zone, host), *second)


def with_host(zone: Zone, host: HostRecord, dkim: Mapping[str, str]) -> Nodes:
    """Add a host without buckets: address, mail, key, and its place among those that take mail in and serve clients.
    `dkim`: selector -> its TXT."""
    name, address = _host(zone, host.name), ipaddress.ip_address(host.address)
    rtype = wire.A if address.version == 4 else wire.AAAA
    mx = OWNER.to_bytes(2, "big") + name
    added = [(name, rtype, address.packed), (name, wire.MX, mx)]
    added += [(entrance, wire.MX, mx) for entrance in _entrances(zone)]
    if host.key is not None:
        key = f"v=DKIM1; k=ed25519; p={base64.b64encode(host.key).decode()}"
        added.append((key_name(zone, host.name), wire.TXT, _text(key)))
    shared = label(MAIL) + zone.origin
    if zone.nodes.get(shared) and wire.CNAME not in zone.nodes[shared]:
        added.append((shared, rtype, address.packed))
    under = label("_domainkey") + zone.origin
    added += [(label(selector) + under, wire.TXT, _text(value)) for selector, value in dkim.items()]
    nodes = dict(zone.nodes)
    ttl = zone.nodes[zone.origin][wire.MX].ttl
    for owner, kind, rdata in added:
        _put(nodes, zone.origin, owner, kind, ttl, (*_there(nodes, owner, kind), rdata))
    return nodes


def without_mail(zone: Zone, host: str) -> Nodes:
    """Send the world and mail clients to the other hosts."""
    nodes, name = dict(zone.nodes), _host(zone, host)
    for entrance in _entrances(zone):
        _keep(nodes, zone.origin, entrance, wire.MX, lambda rdata: rdata[2:].lower() != name)
    for rtype in (wire.A, wire.AAAA):
        _keep(nodes, zone.origin, label(MAIL) + zone.origin, rtype, _not_in(zone.rdatas(name, rtype)))
    return nodes


def without_host(zone: Zone, host: str, selectors: Iterable[str]) -> Nodes:
    """Take a host out that owns no bucket. `selectors`: of its DKIM keys."""
    name = _host(zone, host)
    nodes = dict(without_mail(zone, host))
    for owner, rrset in zone.rrsets():
        if rrset.rtype == wire.MX and any(rdata[2:].lower() == name for rdata in rrset.rdatas):
            _keep(nodes, zone.origin, owner, wire.MX, lambda rdata: rdata[2:].lower() != name)
    _keep(nodes, zone.origin, zone.origin, wire.NS, lambda rdata: rdata.lower() != name)
    under = label("_domainkey") + zone.origin
    for gone in (name, key_name(zone, host), LOST + name, *(label(selector) + under for selector in selectors)):
        nodes[gone] = {}
    return nodes


def takes_mail(zone: Zone, host: str) -> bool:
    """Tell whether the world's mail is sent to a host: one that is being drained takes none."""
    return any(rdata[2:].lower() == _host(zone, host) for rdata in zone.rdatas(zone.origin, wire.MX))


def _not_in(rdatas: tuple[bytes, ...]) -> Callable[[bytes], bool]:
    return lambda rdata: rdata not in rdatas


def _host(zone: Zone, host: str) -> bytes:
    return label(host) + zone.origin


def _entrances(zone: Zone) -> tuple[bytes, ...]:
    return (zone.origin, *(label(which) + zone.origin for which in MAPS))


def _text(value: str) -> bytes:
    parts = [value[at : at + TXT_OCTETS_MAX].encode() for at in range(0, len(value), TXT_OCTETS_MAX)]
    return b"".join(bytes((len(part),)) + part for part in parts)


def _there(nodes: Nodes, owner: bytes, rtype: int) -> tuple[bytes, ...]:
    rrset = nodes.get(owner, {}).get(rtype)
    return rrset.rdatas if rrset else ()


def _keep(nodes: dict[bytes, Node], origin: bytes, owner: bytes, rtype: int, wanted: Callable[[bytes], bool]) -> None:
    rrset = nodes.get(owner, {}).get(rtype)
    if rrset is not None:
        _put(nodes, origin, owner, rtype, rrset.ttl, tuple(filter(wanted, rrset.rdatas)))


def _put(
    nodes: dict[bytes, Node], origin: bytes, owner: bytes, rtype: int, ttl: int, rdatas: tuple[bytes, ...]
) -> None:
    """Write a set; an empty one goes."""
    node = dict(nodes.get(owner, {}))
    before = node.pop(rtype, None)
    if rdatas:
        same = before if before and set(before.rdatas) == set(rdatas) else None
        kept = before.ttl if before else ttl
        node[rtype] = same or make_rrset(origin, rtype, kept, tuple(sorted(set(rdatas))))
    nodes[owner] = node

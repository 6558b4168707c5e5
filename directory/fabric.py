"""What a zone says of a fabric: its buckets, its hosts, who owns what.

Law: read leniently here, judge in `directory.lint`; `to_directory` is for zones that lint.
"""

from __future__ import annotations

import re
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from directory import wire
from directory.host_key import read_key
from directory.names import FabricNames
from directory.snapshot import Directory, HostRecord, Map, Service
from directory.zone import Zone

MAPS: tuple[Map, ...] = ("timeline", "reflectors")
NOT_HOSTS = frozenset(("timeline", "reflectors", "fabric"))  # labels under D that mean something else
MAIL, AUTOCONFIG = "mail", "autoconfig"  # names that all hosts share, for mail clients
SERVICES = ("imaps", "imap", "submissions", "submission")  # RFC 6186 3, RFC 8314 5.1
BUCKETS_MAX = 65_536
HASH = "mmh3-32"

_SRV = struct.Struct("!HHH")  # priority, weight, port
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z")


def label(text: str) -> bytes:
    return bytes((len(text),)) + text.encode()


def bucket_name(zone: Zone, which: Map, bucket: int) -> bytes:
    """The wire name of ``b7.timeline.D``."""
    return label(f"b{bucket}") + label(which) + zone.origin


def host_name(zone: Zone, name: bytes) -> str:
    """``host-1.D`` -> ``host-1``; "" for a name that cannot be a host's, or is not directly under D."""
    if not name[0] or name[name[0] + 1 :] != zone.origin:
        return ""
    host = name[1 : name[0] + 1].decode("latin-1")
    return host if _HOST.match(host) and host not in NOT_HOSTS else ""


def text_values(zone: Zone, name: bytes) -> list[str]:
    """The TXT of a name, each record's strings joined (as RFC 7208 3.3 has it)."""
    values = []
    for rdata in zone.rdatas(name, wire.TXT):
        joined, at = b"", 0
        while at < len(rdata):
            joined += rdata[at + 1 : at + 1 + rdata[at]]
            at += 1 + rdata[at]
        values.append(joined.decode("latin-1"))
    return values


def published_buckets(zone: Zone) -> int | None:
    """The count of buckets from ``_heliograph.D TXT "v=1 buckets=4096 hash=mmh3-32 seed=0"``, if it says one."""
    for value in text_values(zone, label("_heliograph") + zone.origin):
        tags = dict(re.findall(r"(\w+)=(\S+)", value))
        buckets = tags.get("buckets", "")
        if tags.get("v") == "1" and tags.get("hash") == HASH and tags.get("seed") == "0" and buckets.isdecimal():
            return int(buckets[:10]) if 0 < int(buckets[:10]) <= BUCKETS_MAX else None
    return None


def address_of(zone: Zone, name: bytes) -> str:
    """The first A, else the first AAAA; "" without either."""
    return next(iter(_addresses(zone, name)), "")


def addresses_of(zone: Zone, name: bytes) -> tuple[str, ...]:
    """Every address of a name, which may be an alias inside the zone."""
    alias = zone.rdatas(name, wire.CNAME)
    return _addresses(zone, alias[0].lower() if alias else name)


def _addresses(zone: Zone, name: bytes) -> tuple[str, ...]:
    four, six = zone.rdatas(name, wire.A), zone.rdatas(name, wire.AAAA)
    return (
        *(socket.inet_ntop(socket.AF_INET, rdata) for rdata in four),
        *(socket.inet_ntop(socket.AF_INET6, rdata) for rdata in six),
    )


def key_name(zone: Zone, host: str) -> bytes:
    """The wire name of ``host-1._domainkey.fabric.D``."""
    return label(host) + label("_domainkey") + label("fabric") + zone.origin


def key_of(zone: Zone, host: str) -> bytes | None:
    """A host's public key; None where there is no record, an empty one (revoked, RFC 6376 3.6.1) or a broken one."""
    values = text_values(zone, key_name(zone, host))
    return read_key(values[0]) if len(values) == 1 else None


def host_names(zone: Zone) -> list[str]:
    """The hosts: what some MX of the zone names, directly under D; and what has a key there."""
    distinct = {node[wire.MX].rdatas for node in zone.nodes.values() if wire.MX in node}
    targets = {rdata[2:].lower() for rdatas in distinct for rdata in rdatas}
    under = label("_domainkey") + label("fabric") + zone.origin
    keyed = {
        owner[: owner[0] + 1] + zone.origin
        for owner, node in zone.nodes.items()
        if node and owner[owner[0] + 1 :] == under
    }
    return sorted({host_name(zone, name) for name in targets | keyed} - {""})


def to_directory(zone: Zone) -> Directory:
    """Return the fabric's routing of a zone without errors."""
    buckets = published_buckets(zone)
    if buckets is None:
        raise ValueError("no _heliograph record: the zone was not linted")
    hosts = {}
    for name in host_names(zone):
        if address := address_of(zone, label(name) + zone.origin):
            hosts[name] = HostRecord(name, address, key_of(zone, name))
    timeline, reflectors = (_owners(zone, which, buckets) for which in MAPS)
    names, standbys = FabricNames(zone.domain, buckets), standbys_of(pairings(zone))
    services, dkim = services_of(zone), dkim_of(zone)
    return Directory(
        names, zone.serial, hosts, timeline, reflectors, services, dkim=dkim, standbys=standbys, lost=lost_of(zone)
    )


LOST = label("_lost")


class Loss(NamedTuple):
    """One record at ``_lost.HOST.D``: its name, whose it is ("" for no host's), and the heir ("": not readable)."""

    owner: bytes
    host: str
    heir: str


def losses(zone: Zone) -> Iterator[Loss]:
    """Every record that says that a host is lost, good or bad."""
    for owner, node in zone.nodes.items():
        if owner.startswith(LOST) and wire.TXT in node:
            values = text_values(zone, owner)
            tags = dict(re.findall(r"(\w+)=(\S+)", values[0])) if len(values) == 1 else {}
            heir = tags.get("heir", "") if tags.get("v") == "1" else ""
            yield Loss(owner, host_name(zone, owner[len(LOST) :]), heir)


def lost_of(zone: Zone) -> dict[str, str]:
    """Lost host -> its heir."""
    return {loss.host: loss.heir for loss in sorted(losses(zone)) if loss.host and loss.heir}


class Pairing(NamedTuple):
    """One distinct set of MX that buckets have: whom it names first and second ("" for none), the first bucket that
    has it, and how many do."""

    owner: str
    standby: str
    rdatas: tuple[bytes, ...]
    bucket: bytes
    buckets: int


def pairings(zone: Zone) -> list[Pairing]:
    """What buckets have for MX; each distinct set is looked at once."""
    first: dict[tuple[bytes, ...], bytes] = {}
    counts: Counter[tuple[bytes, ...]] = Counter()
    for owner, rdatas in bucket_sets(zone):
        first.setdefault(rdatas, owner)
        counts[rdatas] += 1
    return [Pairing(*pair_of(zone, rdatas), rdatas, first[rdatas], count) for rdatas, count in counts.items()]


def pair_of(zone: Zone, rdatas: tuple[bytes, ...]) -> tuple[str, str]:
    """Whom MX name first, and whom at a higher number; "" for none."""
    ranked = sorted((rdata[:2], rdata[2:].lower()) for rdata in rdatas)
    second = ranked[1][1] if len(ranked) > 1 and ranked[1][0] != ranked[0][0] else b"\0"
    return host_name(zone, ranked[0][1]), host_name(zone, second)


def standbys_of(found: list[Pairing]) -> dict[str, str]:
    """Host -> its one standby: whom most of its buckets name that name any. What moved in without a second MX does
    not cost the others their second copy."""
    counted: dict[str, Counter[str]] = {}
    for one in found:
        if one.standby and one.standby != one.owner:
            counted.setdefault(one.owner, Counter())[one.standby] += one.buckets
    return {owner: max(sorted(seconds), key=seconds.__getitem__) for owner, seconds in sorted(counted.items())}


def bucket_sets(zone: Zone) -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
    """Every bucket's name and its MX."""
    under = tuple(label(which) + zone.origin for which in MAPS)
    for owner, node in zone.nodes.items():
        if wire.MX in node and owner.endswith(under) and owner not in under:
            yield owner, node[wire.MX].rdatas


def dkim_of(zone: Zone) -> dict[str, tuple[str, ...]]:
    """What stands at ``SELECTOR._domainkey.D`` (RFC 6376 3.6.2.1)."""
    under = label("_domainkey") + zone.origin
    owners = [owner for owner in zone.nodes if owner.endswith(under) and owner[owner[0] + 1 :] == under]
    return {owner[1 : owner[0] + 1].decode("latin-1").lower(): tuple(text_values(zone, owner)) for owner in owners}


def service_name(zone: Zone, service: str) -> bytes:
    """The wire name of ``_imaps._tcp.D``."""
    return label(f"_{service}") + label("_tcp") + zone.origin


def services_of(zone: Zone) -> tuple[Service, ...]:
    """Where the zone's SRV send mail clients; the preferred of each first, for clients that only try one."""
    found = []
    for service in SERVICES:
        rows = [(*_SRV.unpack(rdata[:6]), rdata[6:].lower()) for rdata in srv_of(zone, service)]
        for _, _, port, target in sorted(rows, key=lambda row: (row[0], -row[1], row[3])):  # RFC 2782: priority, weight
            if target != b"\0":  # RFC 2782: "the service is decidedly not available"
                found.append(Service(service, wire.text_of(target), port))
    return tuple(found)


def srv_of(zone: Zone, service: str) -> tuple[bytes, ...]:
    """The rdata at ``_imaps._tcp.D``."""
    return zone.rdatas(service_name(zone, service), wire.SRV)


def _owners(zone: Zone, which: Map, buckets: int) -> tuple[str, ...]:
    """The first MX of every bucket; each distinct set of them is looked at once."""
    names: dict[tuple[bytes, ...], str] = {}
    owners = []
    for bucket in range(buckets):
        rdatas = zone.rdatas(bucket_name(zone, which, bucket), wire.MX)
        owner = names.get(rdatas)
        if owner is None:
            owner = names[rdatas] = host_name(zone, min((rdata[:2], rdata[2:].lower()) for rdata in rdatas)[1])
        owners.append(owner)
    return tuple(owners)

"""What a fabric's zone has to keep to, one rule a function.

Law: a rule looks at the zone alone, and says what to do about what it finds. RFC clauses stand where they bind.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from directory import fabric, wire
from directory.fabric import HASH, MAPS, bucket_name, host_name, label
from directory.host_key import is_key, read_key
from directory.snapshot import Map
from directory.zone import Zone, is_newer, soa_numbers

BUCKET_TTL_MIN, BUCKET_TTL_MAX = 30, 3_600  # a move should be seen within the hour, and not asked for every second


class Expected(NamedTuple):
    """What is known beside the zone."""

    buckets: int
    previous_serial: int | None


class Finding(NamedTuple):
    """A problem before its line is known. `rtype` 0 and `rdata` b"": any record of that owner; no owner: missing."""

    text: str
    remedy: str
    owner: bytes = b""
    rtype: int = 0
    rdata: bytes = b""
    warning: bool = False


def serial_goes_forward(zone: Zone, expected: Expected) -> Iterator[Finding]:
    previous = expected.previous_serial
    if previous is not None and is_newer(previous, zone.serial):
        remedy = f"Write {(previous + 1) & 0xFFFFFFFF} or a later one."
        yield Finding(f"the serial goes back, from {previous} to {zone.serial}", remedy, zone.origin, wire.SOA)


def says_what_it_is(zone: Zone, expected: Expected) -> Iterator[Finding]:
    """By the _heliograph record another fabric finds the bucket of an entity here."""
    name, wanted = label("_heliograph") + zone.origin, f"v=1 buckets={expected.buckets} hash={HASH} seed=0"
    values, remedy = fabric.text_values(zone, name), f'Write: _heliograph TXT "{wanted}".'
    if not values:
        yield Finding("no _heliograph record, by which other fabrics find a bucket", remedy)
    elif len(values) > 1 or fabric.published_buckets(zone) != expected.buckets:
        text = f"the _heliograph record disagrees with this fabric: {values[0][:80]!a}"
        yield Finding(text, remedy + " The count of buckets never changes.", name, wire.TXT)


def is_served_as_written(zone: Zone, _: Expected) -> Iterator[Finding]:
    """Records that a reader would expect an effect of, and the embedded server gives none."""
    if not zone.rdatas(zone.origin, wire.NS):
        yield Finding("the zone has no NS record", "Add: @ NS host-1, for each host that the parent zone names.")
    for owner, rrset in zone.rrsets():
        if rrset.rtype == wire.NS and owner != zone.origin:
            text = f"{_shown(zone, owner)} is delegated, and this server does not delegate"
            yield Finding(text, "Take the NS record out.", owner, wire.NS)
        elif rrset.rtype == wire.DNAME or owner[:2] == b"\x01*":
            text = f"{_shown(zone, owner)} is a wildcard or DNAME, which this server does not serve"
            yield Finding(text, "Write the names out, or use $GENERATE.", owner, rrset.rtype)


def mail_goes_to_hosts(zone: Zone, _: Expected) -> Iterator[Finding]:
    """Every MX, whatever it belongs to. Equal sets are one object and share their verdict."""
    verdicts: dict[int, tuple[bytes, str, str] | None] = {}
    for owner, rrset in zone.rrsets():
        if rrset.rtype == wire.MX:
            if id(rrset) not in verdicts:
                verdicts[id(rrset)] = _mx_fault(zone, rrset.rdatas)
            if fault := verdicts[id(rrset)]:
                rdata, text, remedy = fault
                yield Finding(f"the MX of {_shown(zone, owner)} {text}", remedy, owner, wire.MX, rdata)


def services_have_addresses(zone: Zone, _: Expected) -> Iterator[Finding]:
    """Every SRV: clients that are sent where nothing is find nothing. The root says that a service is not offered."""
    for owner, rrset in zone.rrsets():
        if rrset.rtype == wire.SRV:
            for rdata in rrset.rdatas:
                if fault := _srv_fault(zone, int.from_bytes(rdata[4:6], "big"), rdata[6:].lower()):
                    text, remedy = fault
                    yield Finding(f"the SRV of {_shown(zone, owner)} {text}", remedy, owner, wire.SRV, rdata)


def every_bucket_has_one_owner(zone: Zone, expected: Expected) -> Iterator[Finding]:
    for which in MAPS:
        for bucket in range(expected.buckets):
            name = bucket_name(zone, which, bucket)
            mx = zone.nodes.get(name, {}).get(wire.MX)
            shown = f"b{bucket}.{which}"
            if mx is None:
                yield Finding(f"{shown} has no MX", f"Add: {shown} MX 10 host-1, with its owner.")
                continue
            if not BUCKET_TTL_MIN <= mx.ttl <= BUCKET_TTL_MAX:
                remedy = f"Choose {BUCKET_TTL_MIN} to {BUCKET_TTL_MAX} seconds; 300 is usual."
                yield Finding(f"{shown} has a TTL of {mx.ttl}", remedy, name, wire.MX)
            if len(mx.rdatas) > 1 and mx.rdatas[0][:2] == mx.rdatas[1][:2]:  # in order, so these are the lowest
                text = f"{shown} has two owners: two MX with the lowest preference"
                remedy = "A bucket has one owner; give its standby a higher number, or take the older line out."
                yield Finding(text, remedy, name, wire.MX, mx.rdatas[1])


def no_bucket_too_many(zone: Zone, expected: Expected) -> Iterator[Finding]:
    """Whoever wrote b4096 of 4,096 buckets believes in another count, or mistyped one."""
    for which in MAPS:
        suffix = label(which) + zone.origin
        real = {bucket_name(zone, which, bucket) for bucket in range(expected.buckets)}
        for owner, rrset in zone.rrsets():
            if rrset.rtype == wire.MX and owner.endswith(suffix) and owner != suffix and owner not in real:
                text = f"{_shown(zone, owner)} is no bucket: they are b0 to b{expected.buckets - 1}"
                yield Finding(text, "Mend the number, or take the line out.", owner, wire.MX)


def the_world_gets_in(zone: Zone, _: Expected) -> Iterator[Finding]:
    """D, timeline.D and reflectors.D name the hosts that take in the world's mail."""
    entrances: tuple[Map | None, ...] = (None, *MAPS)
    for which in entrances:
        if not zone.rdatas((label(which) if which else b"") + zone.origin, wire.MX):
            text = f"{which or zone.domain} has no MX: the world's mail for it has no way in"
            yield Finding(text, f"Add: {which or '@'} MX 10 host-1.")


def hosts_are_known(zone: Zone, _: Expected) -> Iterator[Finding]:
    """Every host has an address, and a key that can be read; none at all revokes it, and is worth a warning."""
    for host in fabric.host_names(zone):
        name, key = label(host) + zone.origin, fabric.key_name(zone, host)
        values = fabric.text_values(zone, key)
        if not zone.nodes.get(name) and not values:
            continue  # known from an MX alone: `mail_goes_to_hosts` says so, with its line
        if not fabric.address_of(zone, name) and not zone.rdatas(name, wire.CNAME):
            where = name if zone.nodes.get(name) else key
            yield Finding(f"host {host} has no address", f"Add: {host} A and its address.", where)
        example = f'{host}._domainkey.fabric TXT "v=DKIM1; k=ed25519; p=..."'
        if not any(map(is_key, values)):
            text = f"host {host} has no key: no other host believes what it says"
            yield Finding(text, f"Add: {example}; or leave it so, to revoke the host.", key, wire.TXT, b"", True)
        elif len(values) > 1 or read_key(values[0]) is None:
            text = f"the key of host {host} cannot be read"
            yield Finding(text, f"Write one record: {example}, with 32 octets in base64.", key, wire.TXT)


def hosts_are_not_each_other(zone: Zone, _: Expected) -> Iterator[Finding]:
    """Two names at one address are one host: what it passes on to the other comes back to itself."""
    seen: dict[str, str] = {}
    for host in fabric.host_names(zone):
        name = label(host) + zone.origin
        for address in fabric.addresses_of(zone, name):
            other = seen.setdefault(address, host)
            if other != host:
                remedy = f"Give {host} its own address, or write {other} wherever {host} stands."
                rtype = wire.AAAA if ":" in address else wire.A
                yield Finding(
                    f"{host} has the address of {other}, {address}: a host under two names", remedy, name, rtype
                )


def name_servers_have_addresses(zone: Zone, _: Expected) -> Iterator[Finding]:
    """NS of the zone itself; a resolver that is sent to nowhere tries the others, if there are any."""
    for rdata in zone.rdatas(zone.origin, wire.NS):
        target = rdata.lower()
        if wire.is_below(target, zone.origin) and not fabric.address_of(zone, target):  # RFC 2181 10.3: nor an alias
            shown = _shown(zone, target)
            remedy = f"Mend the name, or add: {shown} A and its address."
            yield Finding(f"the NS {shown} has no address", remedy, zone.origin, wire.NS, rdata)


def secondaries_outlive_a_pause(zone: Zone, _: Expected) -> Iterator[Finding]:
    """RFC 1912 2.2: a foreign secondary that expires between two tries goes dark for nothing."""
    refresh, retry, expire, minimum = soa_numbers(zone.soa.rdatas[0])[1:]
    if expire <= refresh + retry:
        text = f"secondaries expire after {expire} seconds, before they ask again ({refresh} + {retry})"
        yield Finding(text, "Write an expire of weeks: 14d.", zone.origin, wire.SOA, b"", True)
    if minimum > BUCKET_TTL_MAX:
        text = f"others remember for {minimum} seconds that a name does not exist"
        yield Finding(
            text,
            f"Write up to {BUCKET_TTL_MAX} as the SOA's last number; 60 is usual.",
            zone.origin,
            wire.SOA,
            b"",
            True,
        )


def sets_have_one_ttl(zone: Zone, _: Expected) -> Iterator[Finding]:
    for record in zone.records:
        served = zone.nodes[record.owner][record.rtype].ttl
        if record.ttl != served:
            text = f"{_shown(zone, record.owner)} has records of one type with different TTLs; {served} is served"
            remedy = "Give them the same (RFC 2181 5.2)."
            yield Finding(text, remedy, record.owner, record.rtype, record.rdata, True)


def _shown(zone: Zone, name: bytes) -> str:
    """A name as the file would have it: ``b7.timeline``."""
    return wire.text_of(name).removesuffix("." + zone.domain)


def _mx_fault(zone: Zone, rdatas: tuple[bytes, ...]) -> tuple[bytes, str, str] | None:
    faults = ((rdata, _target_fault(zone, rdata[2:].lower())) for rdata in rdatas)
    return next(((rdata, *fault) for rdata, fault in faults if fault), None)


def _target_fault(zone: Zone, target: bytes) -> tuple[str, str] | None:
    """Say what is wrong with the target of an MX, and what to do."""
    shown, host = _shown(zone, target), host_name(zone, target)
    if target == b"\0":  # RFC 7505
        return "is a null MX", "Name the host that takes its mail."
    if not host:
        hint = "; a name that ends in the domain ends in a dot too" if zone.domain in shown else ""
        return f"is {shown}, which is no host of this fabric", f"Name a host, as host-1{hint}."
    if zone.rdatas(target, wire.CNAME):  # RFC 2181 10.3
        return f"is {shown}, which is an alias (CNAME)", "Name the host itself."
    if not zone.nodes.get(target):
        return f"is {shown}, an unknown host", f"Mend the name, or add: {shown} A and its address."
    return None


def _srv_fault(zone: Zone, port: int, target: bytes) -> tuple[str, str] | None:
    """Say what is wrong with an SRV, and what to do. Of names elsewhere nothing is known here."""
    if target == b"\0":
        return None
    if not port:
        return "has port 0", "Write the port of the service."
    if not wire.is_below(target, zone.origin):
        return None
    shown = _shown(zone, target)
    if zone.rdatas(target, wire.CNAME):  # RFC 2782: "the name MUST NOT be an alias"
        return f"names {shown}, which is an alias (CNAME)", "Name the host itself."
    if not fabric.address_of(zone, target):
        hint = "; a name that ends in the domain ends in a dot too" if zone.domain in shown else ""
        return f"names {shown}, which has no address", f"Mend the name, or add: {shown} A and its address{hint}."
    return None

"""The text of a zone: a new fabric's, for a human who will edit it; and a served one's, for the copy on disk.

Law: what is rendered reads back as the same zone, and lints.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from directory import wire
from directory.fabric import AUTOCONFIG, HASH, MAIL, MAPS, SERVICES
from directory.rdata import TXT_OCTETS_MAX, rdata_text, type_name
from directory.snapshot import HostRecord
from directory.zone import Zone

Spread = Literal["ranges", "round-robin"]


@dataclass(frozen=True, slots=True)
class ServicePorts:
    """Where mail clients find the services (RFC 6186, RFC 8314); 0 leaves one out."""

    submission: int = 587
    submissions: int = 465
    imap: int = 143
    imaps: int = 993


def render_zone(
    domain: str,
    buckets: int,
    hosts: Sequence[HostRecord],
    *,
    serial: int = 1,
    ttl: int = 300,
    ports: ServicePorts = ServicePorts(),
    spread: Spread = "ranges",
    dkim: Mapping[str, str] | None = None,
) -> str:
    """Return a new fabric's zone. `hosts`: the first is the DNS primary. `dkim`: selector -> the TXT of the keys
    for mail to the outside, at ``selector._domainkey.D``."""
    lines = [
        *_head(domain, hosts, serial, ttl),
        *_entrances(hosts),
        *_heliograph(buckets),
        *_hosts(hosts),
        *_dkim(dkim or {}),
        *_services(hosts, ports),
        *_maps(buckets, hosts, spread),
    ]
    return "\n".join(lines) + "\n"


def zone_text(zone: Zone, comment: str) -> str:
    """Return a zone record by record, with a comment as its first line."""
    texts: dict[tuple[int, bytes], str] = {}
    lines = [f"; {comment}", f"$ORIGIN {zone.domain}.", _record("@", zone.soa.ttl, wire.SOA, zone.soa.rdatas[0], texts)]
    for owner, rrset in zone.rrsets():
        name = wire.text_of(owner) + "."
        lines.extend(_record(name, rrset.ttl, rrset.rtype, rdata, texts) for rdata in rrset.rdatas)
    return "\n".join(lines) + "\n"


def _record(name: str, ttl: int, rtype: int, rdata: bytes, texts: dict[tuple[int, bytes], str]) -> str:
    """One line. Data that repeats (an MX) is put into words once."""
    text = texts.get((rtype, rdata))
    if text is None:
        text = texts[rtype, rdata] = f"{type_name(rtype)} {rdata_text(rtype, rdata)}"
    return f"{name} {ttl} IN {text}"


def _head(domain: str, hosts: Sequence[HostRecord], serial: int, ttl: int) -> Iterator[str]:
    yield f"; The zone of {domain}: which host owns which bucket."
    yield ";"
    yield "; Edit this file while the fabric runs: it is read again within a second. A mistake is reported with its"
    yield "; line, and the last good zone goes on. Raise the serial with every change (else it is raised)."
    yield ";"
    yield "; A bucket's line says where it is to be. Change its host, and the bucket is handed over while mail flows."
    yield "; A host's standby, which keeps a copy of its whole disk, is a second MX with a higher number, the same in"
    yield "; all of the host's buckets, of both maps:"
    yield ";     b7.timeline   MX 10 host-2"
    yield ";     b7.timeline   MX 20 host-3"
    yield "; `heliograph bucket move` and `heliograph host standby` write such lines for you."
    yield ""
    yield f"$ORIGIN {domain}."
    yield f"$TTL {ttl}"
    yield ""
    yield f"@   SOA {hosts[0].name} postmaster ("
    yield f"        {serial:<10} ; serial: raise it"
    yield "        300        ; refresh: how often the hosts ask, should a NOTIFY get lost"
    yield "        60         ; retry"
    yield "        14d        ; expire"
    yield "        60 )       ; how long others remember that a name does not exist"
    for host in hosts:
        yield f"@   NS {host.name}"


def _entrances(hosts: Sequence[HostRecord]) -> Iterator[str]:
    yield ""
    yield "; Where the world's mail comes in: any host takes it for the whole fabric. They also send for it (SPF)."
    for name in ("@", *MAPS):
        for host in hosts:
            yield f"{name:<11} MX 10 {host.name}"
        yield f'{name:<11} TXT "v=spf1 mx -all"'


def _heliograph(buckets: int) -> Iterator[str]:
    yield ""
    yield "; By this, other fabrics find the bucket of an address here. It never changes."
    yield f'_heliograph TXT "v=1 buckets={buckets} hash={HASH} seed=0"'


def _hosts(hosts: Sequence[HostRecord]) -> Iterator[str]:
    yield ""
    yield "; The hosts: address, mail, and the key that others know one by. Take a key away to revoke its host."
    for host in hosts:
        yield f"{host.name} {_address_type(host)} {host.address}"
        yield f"{host.name} MX 10 {host.name}"
        if host.key is not None:
            key = base64.b64encode(host.key).decode()
            yield f'{host.name}._domainkey.fabric TXT "v=DKIM1; k=ed25519; p={key}"'


def _dkim(keys: Mapping[str, str]) -> Iterator[str]:
    if keys:
        yield ""
        yield "; The keys that mail to the world is signed with (DKIM), each host's own; `heliograph key` changes"
        yield "; them. What others shall do with what carries no such signature (DMARC): see docs/operations.md."
        yield '_dmarc TXT "v=DMARC1; p=none"'
    for selector, value in keys.items():
        yield dkim_line(f"{selector}._domainkey", value)


def dkim_line(name: str, value: str) -> str:
    """One TXT record; its value is cut where a string may not be longer."""
    parts = [value[at : at + TXT_OCTETS_MAX] for at in range(0, len(value), TXT_OCTETS_MAX)]
    return f"{name} TXT " + " ".join(f'"{part}"' for part in parts)


def _services(hosts: Sequence[HostRecord], ports: ServicePorts) -> Iterator[str]:
    """One name for all hosts: any of them takes any login, and a client that was set up once finds one that runs."""
    yield ""
    yield f"; Where mail clients find the fabric (RFC 6186, RFC 8314): at any host, under the name {MAIL}. Thunderbird"
    yield f"; asks {AUTOCONFIG}, which tells it what these SRV records say. The hosts' certificates name both."
    for host in hosts:
        yield f"{MAIL} {_address_type(host)} {host.address}"
    yield f"{AUTOCONFIG} CNAME {MAIL}"
    for service in SERVICES:
        if port := getattr(ports, service):
            yield f"_{service}._tcp SRV 0 1 {port} {MAIL}"


def _address_type(host: HostRecord) -> str:
    return "A" if ipaddress.ip_address(host.address).version == 4 else "AAAA"


def _maps(buckets: int, hosts: Sequence[HostRecord], spread: Spread) -> Iterator[str]:
    for which, words in zip(MAPS, ("people's mail and timelines", "sources' reflectors"), strict=True):
        yield ""
        yield f"; {which}: {words}. One line a bucket."
        for bucket in range(buckets):
            at = bucket % len(hosts) if spread == "round-robin" else bucket * len(hosts) // buckets
            yield f"b{bucket}.{which} MX 10 {hosts[at].name}"

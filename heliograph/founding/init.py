"""Making a new fabric: everything that its hosts need to start, decided first, then written at once.

Law: `plan` decides and writes nothing; `heliograph.founding.new_folder` writes all of it or nothing that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from directory.render import ServicePorts, render_zone
from directory.snapshot import HostRecord
from heliograph.configuration.settings import HostConfig, Network, Ports
from heliograph.configuration.text import configuration_text
from heliograph.founding import certificates
from heliograph.founding.new_folder import File
from heliograph.keys import HOST_KEY, KEY_OCTETS, TOKEN_KEY, key_text, public_key
from heliograph.outside.seals import Seal, make_seals

Random = Callable[[int], bytes]
SealsOf = Callable[[str], Sequence[Seal]]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator asks for."""

    domain: str
    hosts: int
    buckets: int
    net: Network
    postmaster: str
    ports: Ports


@dataclass(frozen=True, slots=True)
class Plan:
    """A new fabric's files, and its configuration, which is written last."""

    files: tuple[File, ...]
    configuration: bytes
    hosts: tuple[HostConfig, ...]


def plan(wish: Wish, now: float, random: Random, seals_of: SealsOf = make_seals) -> Plan:
    """Decide what a new fabric consists of. Raise ValueError where its network has too few addresses."""
    hosts = tuple(_hosts(wish))
    seeds = [random(KEY_OCTETS) for _ in hosts]
    seals = [seal for host in hosts for seal in seals_of(host.name)]
    zone = _zone(wish, hosts, seeds, seals, serial=int(now))
    files = [File(f"zones/{wish.domain}.zone", zone.encode()), *_certificates(wish.domain, hosts, seeds, now)]
    for host, seed in zip(hosts, seeds, strict=True):
        files.append(File(f"hosts/{host.name}/{HOST_KEY}", key_text(seed)))
        files.append(File(f"hosts/{host.name}/{TOKEN_KEY}", key_text(random(KEY_OCTETS))))
    files += [File(f"hosts/{seal.host}/{seal.file}", seal.pem()) for seal in seals]
    text = configuration_text(wish.domain, wish.buckets, hosts, wish.ports, wish.postmaster)
    return Plan(tuple(files), text.encode(), hosts)


def _hosts(wish: Wish) -> Iterator[HostConfig]:
    """host-1, host-2 ... at the network's first addresses."""
    addresses = list(islice(wish.net.hosts(), wish.hosts))
    if len(addresses) < wish.hosts:
        raise ValueError(f"{wish.net} has {len(addresses)} addresses for {wish.hosts} hosts: choose a wider --net")
    for number, address in enumerate(addresses, 1):
        yield HostConfig(f"host-{number}", str(address))


def _zone(wish: Wish, hosts: Sequence[HostConfig], seeds: Sequence[bytes], seals: Sequence[Seal], serial: int) -> str:
    records = [HostRecord(host.name, host.address, public_key(seed)) for host, seed in zip(hosts, seeds, strict=True)]
    ports = ServicePorts(wish.ports.submission, wish.ports.submissions, wish.ports.imap, wish.ports.imaps)
    dkim = {seal.selector: seal.text for seal in seals}
    return render_zone(wish.domain, wish.buckets, records, serial=serial, ports=ports, dkim=dkim)


def _certificates(domain: str, hosts: Sequence[HostConfig], seeds: Sequence[bytes], now: float) -> Iterator[File]:
    ca = certificates.make_ca(domain, now)
    yield File("tls/ca.pem", ca.certificate_pem())
    yield File("tls/ca.key", ca.key_pem())
    for host, seed in zip(hosts, seeds, strict=True):
        files = certificates.host_files(ca, host=host.name, domain=domain, address=host.address, seed=seed, now=now)
        yield from (File(name, content) for name, content in files.items())

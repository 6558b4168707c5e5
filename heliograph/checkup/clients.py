"""What a mail client finds by an address alone: services in the zone, a name for autoconfig, certificates for both.

Law: nothing here keeps mail from flowing, so it is a warning at most: people can still type a host's name.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryptography import x509

from directory import wire
from directory.fabric import AUTOCONFIG, MAIL, addresses_of, services_of
from directory.snapshot import Service
from directory.zone import Zone
from directory.zone_text import read_zone
from heliograph.checkup.certificates import covers
from heliograph.checkup.finding import Finding, good, warning
from heliograph.configuration.settings import Config

HTTPS = 443  # where Thunderbird asks; it cannot be told another port


def clients(config: Config) -> Iterator[Finding]:
    """Follow a client's steps through the live zone, on the machine that has it."""
    path = config.zone_file
    zone = read_zone(path.read_bytes(), config.domain).zone if path.is_file() else None
    if zone is None:
        return  # `zone` told why
    services = services_of(zone)
    yield from _services(config, services)
    yield from _autoconfig(config, zone)
    yield from _certificates(config, zone, services)


def _services(config: Config, services: tuple[Service, ...]) -> Iterator[Finding]:
    for kind, what in (("imap", "read"), ("submission", "send")):
        found = next((service for service in services if service.name.startswith(kind)), None)
        if found is None:
            text = f"the zone does not tell mail clients where to {what} mail"
            port = getattr(config.ports, f"{kind}s")
            yield warning("clients", text, f"add: _{kind}s._tcp SRV 0 1 {port} {MAIL}")
        else:
            yield good("clients", f"they {what} mail at {found.host} port {found.port} ({found.name})")


def _autoconfig(config: Config, zone: Zone) -> Iterator[Finding]:
    name, port = f"{AUTOCONFIG}.{config.domain}", config.ports.https
    if not addresses_of(zone, wire.name_of(name)):
        text = f"{name} has no address: Thunderbird cannot be set up by an address and a password alone"
        yield warning("clients", text, f"add: {AUTOCONFIG} CNAME {MAIL}; the hosts' certificates should name it")
    else:
        where = "" if port == HTTPS else f"; HTTPS is at {port} here: lead port {HTTPS} there"
        yield good("clients", f"Thunderbird asks {name}, port {HTTPS}{where}")


def _certificates(config: Config, zone: Zone, services: tuple[Service, ...]) -> Iterator[Finding]:
    """A client connects by a name, and wants to see that name."""
    names = sorted({service.host for service in services} | {f"{AUTOCONFIG}.{config.domain}"})
    for host in config.hosts:
        path = config.tls.of(host.name).certificate
        try:
            shown = x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError):
            continue  # another machine's, or told by `certificates`
        for name in names:
            if host.address in addresses_of(zone, wire.name_of(name)) and not covers(shown, name):
                text = f"{path}: does not name {name}, by which clients come to {host.name}"
                yield warning("clients", text, "get one that names it, then send the hosts SIGHUP")

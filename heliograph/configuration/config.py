"""Reading heliograph.toml.

Law: what is read here is checked here, and every complaint names the file, the line, the key and what to do.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from types import MappingProxyType
from typing import Any

from directory.fabric import AUTOCONFIG, MAIL
from heliograph.configuration.dns import read_dns
from heliograph.configuration.fronts import read_front
from heliograph.configuration.ports import read_ports
from heliograph.configuration.room_settings import read_feeds, read_mailboxes, read_networks, read_reflectors
from heliograph.configuration.settings import (
    FILE_NAME,
    MESSAGE_OCTETS_MAX,
    RECIPIENTS_MAX,
    Config,
    FeedSettings,
    HostConfig,
    Ports,
    SmtpSettings,
    TlsPaths,
)
from heliograph.configuration.smarthost import read_access
from heliograph.shelves.place import read_place
from heliograph.toml_table import ConfigError, Table, read_table, table_of
from mail.address import is_entity

BUCKETS_MAX = 65_536  # two MX records each: more would make the zone's transfer slow and its file unreadable
HOSTS_MAX = 256  # one fabric, one operator; beyond it the full mesh of streams grows too wide

DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+\Z")
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?\Z")
_HOST_PORT = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})\Z")
# Names with another meaning in the zone, or behind `heliograph host`.
NOT_HOSTS = frozenset(
    {"timeline", "reflectors", "fabric", "localhost", MAIL, AUTOCONFIG}
    | {"run", "add", "drain", "remove", "certify", "standby", "promote", "welcome"}
)

_number = Table.number

__all__ = ["Config", "ConfigError", "FeedSettings", "HostConfig", "Ports", "SmtpSettings", "TlsPaths", "judge", "load"]


def load(root: Path) -> Config:
    """Read and check a fabric's configuration; raise ConfigError that says what to do."""
    root = root.absolute()
    return _config(root, read_table(root / FILE_NAME))


def judge(root: Path, text: str) -> Config:
    """Read the text that a fabric's configuration is going to be; raise ConfigError where it would not do."""
    return _config(root.absolute(), table_of(Path(f"the new {FILE_NAME}"), text.encode()))


def _config(root: Path, table: Table) -> Config:
    hosts = _hosts(table)
    config = Config(
        root=root,
        domain=_domain(table),
        buckets=_number(table, "buckets", 1, BUCKETS_MAX),
        hosts=hosts,
        primary=table.take("primary", str),
        postmaster=table.take("postmaster", str, ""),
        ports=read_ports(table.table("ports"), len(hosts)),
        tls=_tls(table.table("tls"), root),
        smtp=_smtp(table.table("smtp"), root),
        feeds=read_feeds(table, root),
        **read_mailboxes(table.table("mailboxes")),
        reflectors=read_reflectors(table.table("reflectors")),
        dns=read_dns(table.table("dns"), root),
        refused_fabrics=_domains(table.table("federation"), "refuse"),
        metrics_networks=read_networks(table, "metrics_allow_networks"),
        standby_mode=_standby_mode(table.table("standby")),
    )
    if config.primary not in {host.name for host in config.hosts}:
        raise table.error("primary", f"names no host: {config.primary!r}", "name one of the [[host]] entries")
    if config.postmaster and not is_entity(config.postmaster):
        raise table.error("postmaster", "is no account's name", "name the account that gets the operator's mail")
    table.done()
    return config


def _domain(table: Table) -> str:
    domain = table.take("domain", str)
    if not DOMAIN.match(domain) or len(domain) > 200:  # room for b65535.reflectors. within 253 octets
        raise table.error("domain", f"is no domain in lower case: {domain!r}", "write it like example.org")
    return domain


def _hosts(table: Table) -> tuple[HostConfig, ...]:
    hosts = tuple(_host(row) for row in table.tables("host"))
    if not 1 <= len(hosts) <= HOSTS_MAX:
        raise table.error("host", f"stands {len(hosts)} times", f"describe 1 to {HOSTS_MAX} hosts, each as [[host]]")
    for what in ("name", "address"):
        values = [getattr(host, what) for host in hosts]
        twice = next((value for value in values if values.count(value) > 1), "")
        if twice:
            raise table.error("host", f"has two with the {what} {twice}", "give each its own")
    return hosts


def _host(row: Table) -> HostConfig:
    host = HostConfig(row.take("name", str), row.take("address", str), read_place(row))
    row.done()
    if not _HOST.match(host.name) or host.name in NOT_HOSTS:
        raise row.error(
            "name",
            f"cannot be {host.name!r}",
            "use letters in lower case, digits and hyphens, and no word with another meaning: host-1",
        )
    try:
        ipaddress.ip_address(host.address)
    except ValueError:
        raise row.error("address", f"is no IP address: {host.address!r}", "write it like 192.0.2.1") from None
    return host


def _tls(table: Table, root: Path) -> TlsPaths:
    defaults = {
        "certificate": "tls/{host}.pem",
        "key": "tls/{host}.key",
        "ca": "tls/ca.pem",
        "stream_certificate": "tls/{host}.stream.pem",
        "stream_key": "tls/{host}.stream.key",
    }
    paths = {key: root / table.take(key, str, default) for key, default in defaults.items()}
    table.done()
    return TlsPaths(**paths)


def _smtp(table: Table, root: Path) -> SmtpSettings:
    relays = table.table("relays").rest()
    for domain, relay in relays.items():
        _check_host_port(table, f"relays.{domain}", relay)
    settings = SmtpSettings(
        message_octets_max=_number(table, "message_octets_max", 65_536, 1 << 30, MESSAGE_OCTETS_MAX),
        recipients_max=_number(table, "recipients_max", 100, 10_000, RECIPIENTS_MAX),
        relays=MappingProxyType({domain.lower(): relay for domain, relay in relays.items()}),
        smarthost=table.take("smarthost", str, ""),
        **read_access(table, root),
        **read_front(table),
        resolver=table.take("resolver", str, ""),
        foreign_port=_number(table, "foreign_port", 1, 65_535, 25),
    )
    if settings.smarthost:
        _check_host_port(table, "smarthost", settings.smarthost)
    for value in settings.resolver.split(",") if settings.resolver else ():
        _check_host_port(table, "resolver", value.strip())
    table.done()
    return settings


def _check_host_port(table: Table, key: str, value: Any) -> None:
    match = _HOST_PORT.match(value) if isinstance(value, str) else None
    if not match or not 1 <= int(match[1]) <= 65_535:
        raise table.error(key, f"is {value!r}", 'write it as "host:port"')


def _domains(table: Table, key: str) -> frozenset[str]:
    domains = [str(value).lower() for value in table.take(key, list, [])]
    table.done()
    wrong = next((domain for domain in domains if not DOMAIN.match(domain)), "")
    if wrong:
        raise table.error(key, f"names no domain: {wrong!r}", 'write domains like "other.example"')
    return frozenset(domains)


def _standby_mode(table: Table) -> str:
    mode = table.take("mode", str, "preferred")
    if mode not in ("required", "preferred"):
        raise table.error("mode", f"is {mode!r}", 'write "required" or "preferred"')
    table.done()
    return mode

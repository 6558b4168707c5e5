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
from heliograph.dns import read_dns
from heliograph.fronts import read_front
from heliograph.ports import read_ports
from heliograph.settings import (
    FILE_NAME,
    MESSAGE_OCTETS_MAX,
    RECIPIENTS_MAX,
    Config,
    FeedSettings,
    HostConfig,
    Network,
    Ports,
    SmtpSettings,
    TlsPaths,
)
from heliograph.shelves.place import read_place
from heliograph.sizes import NONE, read_size
from heliograph.smarthost import read_access
from heliograph.toml_table import ConfigError, Table, read_table, table_of
from mail.address import is_entity
from mailbox_host.quota import Quota
from mailbox_host.settings import LOG_DAYS, LOG_DAYS_MIN
from mailbox_host.settings import Settings as MailboxSettings
from reflector.settings import Settings as ReflectorSettings
from reflector.tree import FANOUT_LIMIT

BUCKETS_MAX = 65_536  # two MX records each: more would make the zone's transfer slow and its file unreadable
DAYS_MAX = 36_500
MESSAGES_MAX = 1 << 31  # of an account: as many UIDs as half a folder has
HOSTS_MAX = 256  # one fabric, one operator; beyond it the full mesh of streams grows too wide

DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+\Z")
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?\Z")
_PUSH_URL = re.compile(r"https://(?:\{host\}|[A-Za-z0-9.:-]){1,200}(?:/[A-Za-z0-9._~/-]{0,200})?\Z")
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
        feeds=_feeds(table, root),
        **_mailboxes(table.table("mailboxes")),
        reflectors=_reflectors(table.table("reflectors")),
        dns=read_dns(table.table("dns"), root),
        refused_fabrics=_domains(table.table("federation"), "refuse"),
        metrics_networks=_networks(table, "metrics_allow_networks"),
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


def _networks(table: Table, key: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(text) for text in table.take(key, list, []))
    except ValueError as error:
        raise table.error(key, str(error), 'write networks like "10.1.0.0/16"') from None


def _domains(table: Table, key: str) -> frozenset[str]:
    domains = [str(value).lower() for value in table.take(key, list, [])]
    table.done()
    wrong = next((domain for domain in domains if not DOMAIN.match(domain)), "")
    if wrong:
        raise table.error(key, f"names no domain: {wrong!r}", 'write domains like "other.example"')
    return frozenset(domains)


def _feeds(top: Table, root: Path) -> FeedSettings:
    table = top.table("feeds")
    authorities = table.take("mailbox_authorities", str, "")
    settings = FeedSettings(
        allow_networks=_networks(top, "feed_allow_networks"),
        poll_seconds_min=_number(table, "poll_seconds_min", 1, 86_400, FeedSettings().poll_seconds_min),
        poll_seconds_max=_number(table, "poll_seconds_max", 60, 2_592_000, FeedSettings().poll_seconds_max),
        octets_max=_number(table, "octets_max", 65_536, 1 << 28, FeedSettings().octets_max),
        push_url=table.take("push_url", str, ""),
        mailbox_authorities=str(root / authorities) if authorities else "",
    )
    table.done()
    if settings.mailbox_authorities and not Path(settings.mailbox_authorities).is_file():
        raise table.error("mailbox_authorities", f"is no file: {authorities!r}", "name a file of certificates in PEM")
    if settings.push_url and not _PUSH_URL.match(settings.push_url):
        raise table.error("push_url", f"is {settings.push_url!r}", 'write it as "https://{host}.example.com"')
    if settings.poll_seconds_min > settings.poll_seconds_max:
        raise table.error("poll_seconds_min", "is above poll_seconds_max", "lower it")
    return settings


def _mailboxes(table: Table) -> dict[str, Any]:
    uses = (("trash_days", "\\Trash"), ("junk_days", "\\Junk"))
    settings = MailboxSettings(
        quota=Quota(_size(table, "quota"), _number(table, "quota_messages", 0, MESSAGES_MAX, 0)),
        log_days=_number(table, "retention_days", LOG_DAYS_MIN, DAYS_MAX, LOG_DAYS),
        days=MappingProxyType({use: _number(table, key, 0, DAYS_MAX, 0) for key, use in uses}),
    )
    shelf = read_place(table)
    table.done()
    return {"mailboxes": settings, "shelf": shelf}


def _reflectors(table: Table) -> ReflectorSettings:
    default = ReflectorSettings()
    settings = ReflectorSettings(
        leaf_threshold=_number(table, "leaf_threshold", 1, default.subscribers_max, default.leaf_threshold),
        split_threshold=_number(table, "split_threshold", 4, default.subscribers_max, default.split_threshold),
        fanout_max=_number(table, "fanout_max", 2, FANOUT_LIMIT, default.fanout_max),
        mirror_grace_seconds=_number(table, "mirror_grace_seconds", 0, 2_592_000, default.mirror_grace_seconds),
    )
    table.done()
    return settings


def _standby_mode(table: Table) -> str:
    mode = table.take("mode", str, "preferred")
    if mode not in ("required", "preferred"):
        raise table.error("mode", f"is {mode!r}", 'write "required" or "preferred"')
    table.done()
    return mode


def _size(table: Table, key: str) -> int:
    try:
        return read_size(table.take(key, str, NONE))
    except ValueError as wrong:
        raise table.error(key, "is wrong", str(wrong)) from None

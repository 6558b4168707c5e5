"""A fabric's configuration, as frozen values.

Law: whoever holds a Config need not doubt it: `config.load` checked it. Rooms never see it;
they get the settings that are theirs.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType

from directory.names import FabricNames
from heliograph.toml_table import ConfigError
from mailbox_host.settings import Settings as MailboxSettings
from reflector.settings import Settings as ReflectorSettings

FILE_NAME = "heliograph.toml"
MESSAGE_OCTETS_MAX = 36_700_160  # 35 MiB: a 25 MB file in base64, what the large providers take
RECIPIENTS_MAX = 1000  # RFC 5321 4.5.3.1.8 asks for 100 at least; our own fan-out is cut to this

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class HostConfig:
    """One host: its name in the zone, the address it listens at, where its mailboxes are, if not as the fabric's."""

    name: str
    address: str
    shelf: str = ""


@dataclass(frozen=True, slots=True)
class Ports:
    """The same on every host; 0 where the door stays closed."""

    smtp: int = 2525
    submission: int = 2587
    submissions: int = 2465
    lmtp: int = 2424
    imap: int = 2143
    imaps: int = 2993
    dns: int = 2053
    streams: int = 2700
    https: int = 2443


@dataclass(frozen=True, slots=True)
class TlsPaths:
    """Certificates. ``{host}`` in a path stands for a host's name; `of` fills it in.

    `certificate` is shown to mail clients and peers (an operator's own may take its place); `stream_certificate` is
    made from the host's Ed25519 key and shown between hosts; `ca` signs both on a fresh fabric.
    """

    certificate: Path
    key: Path
    ca: Path
    stream_certificate: Path
    stream_key: Path

    def of(self, host: str) -> TlsPaths:
        """Return the paths of one host."""
        return TlsPaths(*(Path(str(getattr(self, f.name)).replace("{host}", host)) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """Mail in and out. `relays`: foreign domain -> "host:port"; `smarthost`: for all others, "" = by MX; the file of
    its password, and whether it must have a good certificate; `resolver`: "ip:port" of a DNS resolver, several with
    commas, "" = the system's; `foreign_port`: where foreign MX hosts listen; `fronts`, `front_name`: see fronts.py."""

    message_octets_max: int = MESSAGE_OCTETS_MAX
    recipients_max: int = RECIPIENTS_MAX
    relays: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    smarthost: str = ""
    smarthost_user: str = ""
    smarthost_password: Path | None = None
    smarthost_strict: bool = False
    fronts: frozenset[str] = frozenset()
    front_name: str = ""
    resolver: str = ""
    foreign_port: int = 25


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """Polling. `allow_networks`: the operator's own networks that feeds may be read from. `push_url`: where hubs reach
    a host, ``{host}`` for its name. `mailbox_authorities`: a file of certificates that mail servers elsewhere are
    believed by, beside the system's."""

    allow_networks: tuple[Network, ...] = ()
    poll_seconds_min: int = 900
    poll_seconds_max: int = 86_400
    octets_max: int = 5_000_000
    push_url: str = ""
    mailbox_authorities: str = ""


@dataclass(frozen=True, slots=True)
class DnsSettings:
    """`keys`: the file of TSIG keys; `transfer_key`: what the hosts sign with; `update_keys`: who may change the zone;
    `primary`: a foreign primary, instead of a host."""

    keys: Path | None = None
    transfer_key: str = ""
    update_keys: tuple[str, ...] = ()
    transfer_to: tuple[str, ...] = ()
    notify: tuple[tuple[str, int], ...] = ()
    primary: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A fabric, as its operator described it."""

    root: Path
    domain: str
    buckets: int
    hosts: tuple[HostConfig, ...]
    primary: str
    postmaster: str
    ports: Ports
    tls: TlsPaths
    smtp: SmtpSettings
    feeds: FeedSettings
    mailboxes: MailboxSettings
    reflectors: ReflectorSettings
    dns: DnsSettings = DnsSettings()
    metrics_networks: tuple[Network, ...] = ()  # who may read /metrics, besides the host's own machine
    refused_fabrics: frozenset[str] = frozenset()  # their domains: nothing of theirs is followed, nor ours there
    shelf: str = ""  # the LMTP server that keeps the mailboxes, "host:port" or a path; "" where they are ours
    standby_mode: str = "preferred"  # or "required": without the standby nothing is acknowledged

    @property
    def names(self) -> FabricNames:
        return FabricNames(self.domain, self.buckets)

    def host(self, name: str) -> HostConfig:
        """Return a host by its name; ConfigError where there is none."""
        found = next((host for host in self.hosts if host.name == name), None)
        if found is None:
            known = ", ".join(host.name for host in self.hosts)
            raise ConfigError(f"{self.root / FILE_NAME}: there is no host {name!r}: its hosts are {known}")
        return found

    def shelf_of(self, name: str) -> str:
        """Where a host's mailboxes are: "" for here."""
        return self.host(name).shelf or self.shelf

    def host_folder(self, name: str) -> Path:
        """Where a host keeps its own: heliograph.db, host.key, token.key, control.sock, lock, its copy of the zone."""
        return self.root / "hosts" / name

    @property
    def zone_file(self) -> Path:
        """The live zone, edited by hand or by the command."""
        return self.root / "zones" / f"{self.domain}.zone"

"""What the configuration says of DNS (``[dns]``), and what each host's directory makes of it.

Law: a key that is named has to be in the file of keys, and nobody else may read that file; a fabric without ``[dns]``
needs none of this.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path

from directory import keys, wire
from directory.settings import Settings as DirectorySettings
from directory.tsig import Key
from heliograph.configuration.settings import Config, DnsSettings
from heliograph.toml_table import ConfigError, Table

PORT = 53
LISTED_MAX = 100  # secondaries and networks: each NOTIFY is a packet or six

_PLACE = re.compile(r"(?:\[([0-9a-fA-F:]+)\]|([0-9.]+))(?::([0-9]{1,5}))?\Z")


def read_dns(table: Table, root: Path) -> DnsSettings:
    """Read ``[dns]``."""
    path, primary = table.take("keys", str, ""), table.take("primary", str, "")
    settings = DnsSettings(
        keys=root / path if path else None,
        transfer_key=table.take("transfer_key", str, ""),
        update_keys=tuple(_texts(table, "update_keys")),
        transfer_to=tuple(_network(table, text) for text in _texts(table, "transfer_to")),
        notify=tuple(_place(table, "notify", text) for text in _texts(table, "notify")),
        primary=_place(table, "primary", primary) if primary else None,
    )
    table.done()
    for key, names in (("transfer_key", (settings.transfer_key,)), ("update_keys", settings.update_keys)):
        if any(names) and settings.keys is None:
            raise table.error(key, "names a key", 'name the file it is in: keys = "tsig.keys"')
        if any(name and not keys.is_key_name(name) for name in names):
            raise table.error(key, f"is no name of a key: {', '.join(names)}", "write it as in the file of keys")
    return settings


def directory_settings(config: Config, host: str, copy: Path) -> DirectorySettings:
    """What a host's directory is told; ConfigError where a key is missing."""
    dns, leads = config.dns, config.primary == host and config.dns.primary is None
    address, port = dns.primary or ("" if leads else config.host(config.primary).address, 0)
    return DirectorySettings(
        domain=config.domain,
        buckets=config.buckets,
        address=config.host(host).address,
        port=config.ports.dns,
        copy=copy,
        live=config.zone_file if leads else None,
        primary_address=address,
        primary_port=port,
        primary_is_foreign=dns.primary is not None,
        keys=load_keys(config),
        transfer_key=wire.name_of(dns.transfer_key) if dns.transfer_key else b"",
        update_keys=frozenset(map(wire.name_of, dns.update_keys)),
        transfer_to=dns.transfer_to,
        notify_to=dns.notify,
    )


def load_keys(config: Config) -> Mapping[bytes, Key]:
    """Read the file of keys, if there is one; ConfigError where it cannot be used."""
    dns = config.dns
    if dns.keys is None:
        return {}
    try:
        found = keys.load(dns.keys)
    except keys.BadKeys as bad:
        raise ConfigError(str(bad)) from None
    except PermissionError:
        raise
    except OSError as wrong:
        raise ConfigError(f"{dns.keys}: cannot be read: {wrong.strerror}: see `heliograph zone key`") from None
    for name in filter(None, (dns.transfer_key, *dns.update_keys)):
        if wire.name_of(name) not in found:
            raise ConfigError(f"{dns.keys}: has no key {name}, which heliograph.toml names: add it, or mend the name")
    return found


def _texts(table: Table, key: str) -> list[str]:
    texts = table.take(key, list, [])
    if not all(isinstance(text, str) for text in texts) or len(texts) > LISTED_MAX:
        raise table.error(key, "is no list of texts", f'write up to {LISTED_MAX}, as ["one", "two"]')
    return texts


def _network(table: Table, text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise table.error("transfer_to", str(error), 'write networks like "192.0.2.53/32"') from None


def _place(table: Table, key: str, text: str) -> tuple[str, int]:
    """``192.0.2.53``, ``192.0.2.53:5353``, ``[2001:db8::53]:5353``."""
    match = _PLACE.match(text)
    try:
        address = str(ipaddress.ip_address((match[1] or match[2]) if match else ""))
    except ValueError:
        raise table.error(key, f"is {text!r}", 'write an address and a port, like "192.0.2.53:53"') from None
    assert match
    port = int(match[3] or PORT)
    if not 1 <= port <= 65_535:
        raise table.error(key, f"is {text!r}", "choose a port from 1 to 65535")
    return address, port

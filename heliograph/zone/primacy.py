"""Putting a host in the primary's place (`zone primary`).

Law: no serial goes back, and no version that another host has is lost: a host whose copy is behind one that can be
asked is no successor, and where some cannot be asked the serial leaps over what they may have. The zone itself says who
its primary is now, so the others need not be told.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass

from directory import copy, fabric, wire
from directory.copy import Kept
from directory.edition import Edition, edit
from directory.problem import errors
from directory.render import zone_text
from directory.rewrite import rewrite
from directory.transfer_in import Primary, TransferFailed, ask
from directory.update import Nodes
from directory.zone import Zone, is_newer, make_rrset
from directory.zone_text import read_zone
from heliograph import exits
from heliograph.configuration.dns import load_keys
from heliograph.configuration.settings import FILE_NAME, Config
from heliograph.exits import CommandError
from store.durable_files import AS_UMASK_SAYS, replace_durably

LEAP = 100  # versions that an unreachable host may have and nobody here knows of
ASK_SECONDS = 2.0

_LINE = re.compile(rb"""^(\s*primary\s*=\s*)(["'])[^"'\n]*\2""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Succession:
    """What is to be written: the live zone, its serial, and who could not be asked."""

    content: bytes
    serial: int
    silent: tuple[str, ...]


def succeed(config: Config, host: str) -> Succession:
    """Work out what a host would serve as the primary; CommandError where it should not be."""
    if config.dns.primary is not None:
        text = "the zone's primary is a foreign server: take `primary` out of [dns] on every machine first, then repeat"
        raise CommandError(exits.CONFIG, f"{config.root / FILE_NAME}: {text}")
    path = config.host_folder(config.host(host).name) / f"{config.domain}.zone"
    if not path.parent.is_dir():
        raise CommandError(exits.UNAVAILABLE, f"{host} is not on this machine: run this where {host} runs")
    kept = copy.load(path, config.domain)
    if kept is None:
        raise CommandError(exits.UNAVAILABLE, f"{path}: there is no good copy: choose another host")
    serials = asyncio.run(_serials(config, kept.zone, host))
    for other, serial in serials.items():
        if serial is not None and is_newer(serial, kept.zone.serial):
            text = f"{other} has a newer zone ({serial}) than {host} ({kept.zone.serial})"
            raise CommandError(exits.TEMPFAIL, f"{text}: make {other} the primary, or `zone reload` where {host} runs")
    silent = tuple(other for other, serial in serials.items() if serial is None)
    serial = (kept.zone.serial + (LEAP if silent else 1)) & 0xFFFFFFFF
    return Succession(_content(config, host, kept, serial), serial, silent)


def write(config: Config, host: str, succession: Succession) -> None:
    """Put the zone in place, then say in the configuration who is the primary."""
    if config.zone_file.exists():
        aside = config.zone_file.with_name(f"{config.zone_file.name}.before-{succession.serial}")
        aside.write_bytes(config.zone_file.read_bytes())
    config.zone_file.parent.mkdir(exist_ok=True)
    replace_durably(config.zone_file, succession.content, AS_UMASK_SAYS)
    file = config.root / FILE_NAME
    content = file.read_bytes()
    changed, count = _LINE.subn(lambda match: match[1] + b'"' + host.encode() + b'"', content, count=1)
    if not count:
        raise CommandError(exits.CONFIG, f'{file}: write primary = "{host}" there')
    if changed != content:
        replace_durably(file, changed)


async def _serials(config: Config, zone: Zone, host: str) -> Mapping[str, int | None]:
    """What the other hosts serve; None: no answer."""
    key = load_keys(config).get(wire.name_of(config.dns.transfer_key)) if config.dns.transfer_key else None
    names = [name for name in fabric.host_names(zone) if name != host]

    async def serial(name: str) -> int | None:
        address = fabric.address_of(zone, fabric.label(name) + zone.origin)
        try:
            return (await ask(Primary(address, config.ports.dns, key=key), zone.origin, ASK_SECONDS)).serial
        except TransferFailed:
            return None

    return dict(zip(names, await asyncio.gather(*map(serial, names)), strict=True))


def _content(config: Config, host: str, kept: Kept, serial: int) -> bytes:
    """The operator's file if it is on this machine and says what the copy says; else the copy."""
    written = config.zone_file.read_bytes() if config.zone_file.is_file() else b""
    zone = read_zone(written, config.domain).zone
    if zone is None or not zone.says_the_same(kept.zone):
        written = zone_text(kept.zone, f"made from the copy of {host}").encode("ascii")
        zone = read_zone(written, config.domain).zone
    assert zone is not None
    content = rewrite(written, zone, _named(zone, host), serial).content
    edition = edit(content, config.domain, config.buckets, kept)
    if not isinstance(edition, Edition):
        raise CommandError(exits.CONFIG, errors(edition)[0].shown(str(config.zone_file)))
    return content


def _named(zone: Zone, host: str) -> Nodes:
    """The zone's nodes with a host as the SOA's primary."""
    soa = zone.soa
    rest = soa.rdatas[0][wire.read_name(soa.rdatas[0], 0)[1] :]
    apex = dict(zone.nodes[zone.origin])
    rdata = fabric.label(host) + zone.origin + rest
    apex[wire.SOA] = make_rrset(zone.origin, wire.SOA, soa.ttl, (rdata,))
    return {**zone.nodes, zone.origin: apex}

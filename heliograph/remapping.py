"""A bucket given to another host: as the change of a zone, in the operator's file or asked of the primary.

Law: only the intent is written here; the hosts carry it out. What else stands at a bucket's name (a second MX) stays.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Iterator

import dns.asyncquery
import dns.exception
import dns.name
import dns.rcode
import dns.tsig
import dns.update

from directory import copy, wire
from directory.amend import Amended, amend
from directory.names import FabricNames
from directory.primary import LiveFile
from directory.update import Refused, Update
from directory.wire import WireRecord
from directory.zone import Zone
from heliograph import exits
from heliograph.dns import load_keys
from heliograph.exits import CommandError
from heliograph.settings import Config

ANSWER_SECONDS_MAX = 10.0
MX_HEAD = struct.Struct("!H")

Change = tuple[str, int, str]  # map, bucket, host


def remap(config: Config, changes: list[Change]) -> None:
    """Write the change into the zone's file if the primary is on this machine, else send it there, signed."""
    kept = copy.load(config.host_folder(config.primary) / f"{config.domain}.zone", config.domain)
    if config.dns.primary is None and config.zone_file.exists() and kept is not None:
        live = LiveFile(config.zone_file)
        content = live.content()
        if isinstance(content, OSError):
            raise CommandError(exits.NOINPUT, f"{config.zone_file}: {content.strerror}")
        update = Update((), tuple(_records(kept.zone, config.names, changes)))
        amended = amend(content, update, config.domain, config.buckets, kept)
        if isinstance(amended, Refused):
            raise CommandError(exits.CONFIG, f"{config.zone_file}: {amended.reason}")
        if isinstance(amended, Amended):
            live.write(amended.content)
        return
    asyncio.run(_send(config, changes))


def _records(zone: Zone, names: FabricNames, changes: Iterable[Change]) -> Iterator[WireRecord]:
    """The preferred MX of each bucket is another one; what else there was stays, but for the new host itself."""
    for which, bucket, host in changes:
        owner = wire.name_of(f"b{bucket}.{which}.{names.domain}")
        there = zone.nodes.get(owner, {}).get(wire.MX)
        if there is None:
            raise CommandError(
                exits.DATA, f"b{bucket}.{which}: there is no such bucket: they go to {names.buckets - 1}"
            )
        first = min(there.rdatas)
        target = wire.name_of(f"{host}.{names.domain}")
        for rdata in there.rdatas:
            if rdata == first or rdata[MX_HEAD.size :].lower() == target:
                yield WireRecord(owner, wire.MX, wire.CLASS_NONE, 0, rdata)
        yield WireRecord(owner, wire.MX, wire.CLASS_IN, there.ttl, first[: MX_HEAD.size] + target)


async def _send(config: Config, changes: list[Change]) -> None:
    """A dynamic update (RFC 2136), of whole sets: what a second MX was, only the file knows."""
    keys = load_keys(config)
    found = next((keys[name] for name in map(wire.name_of, config.dns.update_keys) if name in keys), None)
    if found is None:
        raise CommandError(
            exits.UNAVAILABLE, "the zone's primary is not on this machine: run this there, or name update_keys in [dns]"
        )
    name = dns.name.from_wire(found.name, 0)[0]
    key = dns.tsig.Key(name, found.secret, dns.name.from_wire(found.algorithm, 0)[0])
    update = dns.update.UpdateMessage(config.domain, keyring={name: key}, keyname=name)
    for which, bucket, host in changes:
        update.replace(f"b{bucket}.{which}", 300, "MX", f"10 {host}.{config.domain}.")
    place = config.dns.primary or (config.host(config.primary).address, config.ports.dns)
    try:
        answer = await dns.asyncquery.tcp(update, place[0], port=place[1], timeout=ANSWER_SECONDS_MAX)
    except (OSError, dns.exception.DNSException) as error:
        raise CommandError(exits.TEMPFAIL, f"the zone's primary at {place[0]} did not answer: {error}") from None
    if answer.rcode() != dns.rcode.NOERROR:
        raise CommandError(
            exits.CONFIG, f"the zone's primary refused it: {dns.rcode.to_text(answer.rcode())}: see its log"
        )

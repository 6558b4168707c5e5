"""A change of the zone asked of a primary elsewhere, by signed dynamic update (RFC 2136); or, where it takes none, the
lines to edit by hand.

Law: the change was judged here as the hosts judge it. What does not fit into one message goes in several, each of which
leaves a good zone: what is new first, what goes last; buckets under the condition that they are as we know them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dns.asyncquery
import dns.exception
import dns.name
import dns.rcode
import dns.tsig
import dns.update

from directory import wire
from directory.rdata import rdata_text, type_name
from directory.update import Nodes
from directory.zone import Zone
from heliograph import exits
from heliograph.configuration.dns import load_keys
from heliograph.configuration.settings import Config
from heliograph.exits import CommandError

ANSWER_SECONDS_MAX = 10.0
SETS_MAX = 300  # in one message: 65,535 octets, of which a bucket with its condition takes some 150
LINES_SHOWN_MAX = 1_000  # of what is to be edited by hand
BY_HAND = (dns.rcode.NOTIMP, dns.rcode.REFUSED, dns.rcode.FORMERR)  # NSD has no updates


@dataclass(frozen=True, slots=True)
class Changed:
    """One set of records that is to be another."""

    owner: bytes
    rtype: int
    ttl: int
    before: tuple[bytes, ...]
    after: tuple[bytes, ...]

    @property
    def is_bucket(self) -> bool:
        return self.rtype == wire.MX and bool(self.before) and bool(self.after)


def difference(zone: Zone, nodes: Nodes) -> list[Changed]:
    """Return what differs, in the order in which it is to be changed; the serial is the primary's own affair."""
    found = [changed for owner in {**zone.nodes, **nodes} for changed in _at(zone, nodes, owner)]
    return sorted(found, key=lambda one: (not one.after, one.is_bucket, one.owner, one.rtype))


def _at(zone: Zone, nodes: Nodes, owner: bytes) -> Iterator[Changed]:
    before, after = zone.nodes.get(owner, {}), nodes.get(owner, {})
    for rtype in before.keys() | after.keys():
        old, new = before.get(rtype), after.get(rtype)
        was, will = old.rdatas if old else (), new.rdatas if new else ()
        ttl = new.ttl if new else old.ttl if old else 0
        if rtype != wire.SOA and (set(was) != set(will) or (old and old.ttl != ttl)):
            yield Changed(owner, rtype, ttl, was, will)


def request(config: Config, changes: Sequence[Changed]) -> None:
    """Have the primary change the zone. CommandError where it does not, with what to do."""
    keys = load_keys(config)
    found = next((keys[name] for name in map(wire.name_of, config.dns.update_keys) if name in keys), None)
    if found is None:
        raise CommandError(
            exits.UNAVAILABLE, f"there is no key for it: name update_keys in [dns], or\n{by_hand(changes)}"
        )
    name = dns.name.from_wire(found.name, 0)[0]
    key = dns.tsig.Key(name, found.secret, dns.name.from_wire(found.algorithm, 0)[0])
    for at in range(0, len(changes), SETS_MAX):
        update = dns.update.UpdateMessage(config.domain, keyring={name: key}, keyname=name)
        for one in changes[at : at + SETS_MAX]:
            _add(update, one)
        rcode = asyncio.run(_send(config, update))
        if rcode in BY_HAND:
            word = dns.rcode.to_text(rcode)
            raise CommandError(
                exits.UNAVAILABLE, f"the zone's primary takes no such update ({word}):\n{by_hand(changes[at:])}"
            )
        if rcode != dns.rcode.NOERROR:
            text = f"the zone's primary refused it: {dns.rcode.to_text(rcode)}: if somebody else changed it, repeat"
            raise CommandError(exits.TEMPFAIL if rcode == dns.rcode.NXRRSET else exits.CONFIG, text)


def by_hand(changes: Sequence[Changed]) -> str:
    """What an operator would edit."""
    lines = [line for one in changes for line in _lines(one)]
    shown = lines[:LINES_SHOWN_MAX]
    more = [f"; and {len(lines) - len(shown)} lines more"] if len(lines) > len(shown) else []
    return "\n".join(["edit the zone there, raise its serial and have it loaded:", *shown, *more])


def _lines(one: Changed) -> Iterator[str]:
    name = wire.text_of(one.owner)
    for sign, rdatas, others in (("-", one.before, one.after), ("+", one.after, one.before)):
        for rdata in rdatas:
            if rdata not in others:
                yield f"{sign} {name}. {one.ttl} IN {type_name(one.rtype)} {rdata_text(one.rtype, rdata)}"


def _add(update: dns.update.UpdateMessage, one: Changed) -> None:
    name, rtype = wire.text_of(one.owner) + ".", type_name(one.rtype)
    if one.is_bucket:
        update.present(name, rtype, *(rdata_text(one.rtype, rdata) for rdata in one.before))
    for rdata in one.before:  # one by one: a zone keeps its last NS, and what others added stays
        if rdata not in one.after:
            update.delete(name, rtype, rdata_text(one.rtype, rdata))
    for rdata in one.after:
        update.add(name, one.ttl, rtype, rdata_text(one.rtype, rdata))


async def _send(config: Config, update: dns.update.UpdateMessage) -> dns.rcode.Rcode:
    place = config.dns.primary or (config.host(config.primary).address, config.ports.dns)
    try:
        answer = await dns.asyncquery.tcp(update, place[0], port=place[1], timeout=ANSWER_SECONDS_MAX)
    except (OSError, EOFError, dns.exception.Timeout) as error:
        raise CommandError(exits.TEMPFAIL, f"the zone's primary at {place[0]} did not answer: {error}") from None
    except dns.exception.DNSException:  # it did not sign its answer: who knows no updates knows no keys for them
        return dns.rcode.NOTIMP
    return answer.rcode()

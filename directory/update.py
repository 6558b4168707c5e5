"""Dynamic update (RFC 2136): from a message to what the zone is to hold.

Law: pure. All or nothing: prerequisites first, then every change in order, on a copy of the zone's nodes in which what
was not touched is the very same object. Whether the result is a good zone, `directory.lint` says.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import dns.exception

from directory import wire
from directory.rdata import rdata_text
from directory.wire import Malformed, WireRecord
from directory.zone import Node, Zone, is_newer, make_rrset, soa_numbers

CHANGES_MAX = 20_000  # in one message of 65,535 octets fit fewer
Nodes = Mapping[bytes, Node]


@dataclass(frozen=True, slots=True)
class Update:
    """What is asked for, of one zone."""

    prerequisites: tuple[WireRecord, ...]
    changes: tuple[WireRecord, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not: the code for the asker, the reason for the log."""

    rcode: int
    reason: str


def read_update(message: bytes, origin: bytes) -> Update | Refused:
    """Take an UPDATE apart (RFC 2136 2, 3.1); the signature is off already."""
    try:
        zones, needed, changed, additional = struct.unpack_from("!4H", message, 4)
        zone = wire.read_question(message)
        if zones != 1 or zone.rtype != wire.SOA:
            return Refused(wire.FORMERR, "not one zone")
        if zone.name != origin or zone.rclass != wire.CLASS_IN:
            return Refused(wire.NOTAUTH, f"{wire.text_of(zone.name)} is not served here")
        records, at = [], zone.end
        for _ in range(needed + changed + additional):
            record, at = wire.read_record(message, at)
            records.append(record)
    except Malformed as bad:
        return Refused(wire.FORMERR, str(bad))
    if at != len(message) or len(records) > CHANGES_MAX:
        return Refused(wire.FORMERR, "octets after the end")
    update = Update(tuple(records[:needed]), tuple(records[needed : needed + changed]))
    return _fault(update, origin) or update


def updated(zone: Zone, update: Update) -> Nodes | Refused:
    """Return the zone's nodes after the update."""
    return _unmet(zone, update.prerequisites) or _changed(zone, update.changes)


def _fault(update: Update, origin: bytes) -> Refused | None:
    """RFC 2136 3.2 and 3.4.1: every record has to be one that an update may hold."""
    for record in (*update.prerequisites, *update.changes):
        if not wire.is_below(record.owner, origin):
            return Refused(wire.NOTZONE, f"{wire.text_of(record.owner)} is not in the zone")
    for record in update.prerequisites:
        if record.ttl or (record.rclass != wire.CLASS_IN and record.rdata):
            return Refused(wire.FORMERR, f"a prerequisite of {wire.text_of(record.owner)} that RFC 2136 does not know")
        if record.rclass not in (wire.CLASS_IN, wire.CLASS_ANY, wire.CLASS_NONE):
            return Refused(wire.FORMERR, f"class {record.rclass}")
    for record in update.changes:
        if not _is_change(record):
            return Refused(wire.FORMERR, f"a change of {wire.text_of(record.owner)} that RFC 2136 does not know")
    return None


def _is_change(record: WireRecord) -> bool:
    meta = record.rtype in (0, wire.OPT) or 128 <= record.rtype <= 255  # RFC 6895 3.1
    match record.rclass:
        case wire.CLASS_IN:
            return not meta and record.ttl < 2**31 and _is_sound(record)
        case wire.CLASS_ANY:
            return not record.ttl and not record.rdata and (not meta or record.rtype == wire.ANY)
        case wire.CLASS_NONE:
            return not record.ttl and not meta
    return False


def _is_sound(record: WireRecord) -> bool:
    """Tell whether data is what its type says: what is taken once is served for ever."""
    try:
        rdata_text(record.rtype, record.rdata)
    except (dns.exception.DNSException, ValueError):
        return False
    return True


def _unmet(zone: Zone, prerequisites: tuple[WireRecord, ...]) -> Refused | None:
    """RFC 2136 3.2: what the asker takes for granted."""
    exact: dict[tuple[bytes, int], set[bytes]] = {}
    for owner, rtype, rclass, _, rdata in prerequisites:
        node = zone.nodes.get(owner, {})
        shown = wire.text_of(owner)
        if rclass == wire.CLASS_IN:
            exact.setdefault((owner, rtype), set()).add(rdata)
        elif rtype == wire.ANY and bool(node) != (rclass == wire.CLASS_ANY):
            return Refused(wire.YXDOMAIN, f"{shown} exists") if node else Refused(wire.NXDOMAIN, f"no {shown}")
        elif rtype != wire.ANY and (rtype in node) != (rclass == wire.CLASS_ANY):
            code = wire.YXRRSET if rtype in node else wire.NXRRSET
            return Refused(code, f"{shown} {'has' if rtype in node else 'has no'} records of type {rtype}")
    for (owner, rtype), rdatas in exact.items():
        if {rdata.lower() for rdata in rdatas} != {rdata.lower() for rdata in zone.rdatas(owner, rtype)}:
            return Refused(wire.NXRRSET, f"{wire.text_of(owner)} does not hold what the update takes for granted")
    return None


def _changed(zone: Zone, changes: tuple[WireRecord, ...]) -> Nodes:
    nodes = dict(zone.nodes)
    for record in changes:
        before = nodes.get(record.owner, {})
        if record.rclass == wire.CLASS_IN:
            after = _with(zone.origin, before, record)
        else:
            after = _without(zone.origin, before, record)
        if after != before:
            nodes[record.owner] = after
    return nodes


def _with(origin: bytes, node: Node, record: WireRecord) -> Node:
    """Add one record (RFC 2136 3.4.2.2); the set takes its TTL."""
    rtype, rdata = record.rtype, record.rdata
    if (rtype == wire.CNAME and set(node) - {rtype}) or (rtype != wire.CNAME and wire.CNAME in node):
        return node  # an alias stands alone: "silently ignored"
    there = node[rtype].rdatas if rtype in node else ()
    if rtype == wire.SOA and not (there and is_newer(soa_numbers(rdata)[0], soa_numbers(there[0])[0])):
        return node
    alone = rtype in (wire.CNAME, wire.SOA)
    rdatas = (rdata,) if alone else tuple(sorted({*_others(there, rdata), rdata}))
    return {**node, rtype: make_rrset(origin, rtype, record.ttl, rdatas)}


def _without(origin: bytes, node: Node, record: WireRecord) -> Node:
    """Delete a name (type ANY), a set (class ANY) or one record (class NONE); the zone keeps its SOA and an NS."""
    owner, rtype, rclass, _, rdata = record
    kept = {wire.SOA, wire.NS} if owner == origin else set()
    if rclass == wire.CLASS_ANY:
        return {t: rrset for t, rrset in node.items() if t in kept or rtype not in (wire.ANY, t)}
    if rtype not in node or rtype == wire.SOA:
        return node
    left = _others(node[rtype].rdatas, rdata)
    if left:
        return {**node, rtype: make_rrset(origin, rtype, node[rtype].ttl, left)}
    return node if rtype in kept else {t: rrset for t, rrset in node.items() if t != rtype}


def _others(rdatas: tuple[bytes, ...], rdata: bytes) -> tuple[bytes, ...]:
    return tuple(other for other in rdatas if other.lower() != rdata.lower())

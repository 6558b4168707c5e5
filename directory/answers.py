"""From a question in octets to the answer in octets (RFC 1035, 2308, 6891, 8020, 8482).

Law: pure, and nothing is built that was not built when the zone was loaded: the question is echoed as it came (its
case too), records stand ready with gaps for one compression pointer, and the header's ID is the client's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from directory import wire
from directory.wire import Malformed, Question
from directory.zone import Node, Rrset, Zone, make_rrset, soa_numbers

UDP_OCTETS_MAX = 1_232  # DNS flag day 2020: fits the smallest IPv6 packet, so that nothing is fragmented
PLAIN_OCTETS_MAX = 512  # RFC 1035 4.2.1, for clients without EDNS
ADDITIONAL_MAX = 4  # OPT, TSIG, and room to spare; more is no question
ALIASES_MAX = 8  # CNAMEs followed inside the zone
_OPT_TYPE = b"\0\0\x29"


@dataclass(frozen=True, slots=True)
class Edns:
    """The client's OPT record (RFC 6891 6.1)."""

    octets_max: int
    version: int
    dnssec_ok: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to say: the code, the records of the answer and how many, the authority section."""

    rcode: int
    answer: bytes = b""
    count: int = 0
    authority: bytes = b""
    authoritative: bool = True


class Answers:
    """Answers questions about one zone."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        soa = zone.soa
        # RFC 2308 3: others keep a "no" as long as the lesser of the SOA's TTL and its last number.
        ttl = min(soa.ttl, soa_numbers(soa.rdatas[0])[4])
        self._denial = make_rrset(zone.origin, wire.SOA, ttl, soa.rdatas).bodies[0]

    def reply(self, query: bytes, *, udp: bool, reserved: int = 0) -> bytes | None:
        """Answer a message with opcode QUERY; None for what deserves no answer. Never raises. `reserved`: octets that
        are to stay free, for a signature."""
        if len(query) < wire.HEADER.size:
            return None
        _, flags, questions, answers, authority, additional = wire.HEADER.unpack_from(query)
        if flags & wire.QR:
            return None
        if flags & wire.OPCODE_BITS:
            return refusal(query, wire.NOTIMP)
        try:
            if questions != 1 or answers:
                raise Malformed("not one question")
            question = wire.read_question(query)
            at = _after_authority(query, question, authority)
            edns = _read_edns(query, at, additional)
        except Malformed:
            return refusal(query, wire.FORMERR)
        if edns and edns.version:
            return _message(query, question, edns, Found(wire.BADVERS, authoritative=False), udp, reserved)
        return _message(query, question, edns, self._find(question), udp, reserved)

    def _find(self, question: Question) -> Found:
        name, rtype = question.name, question.rtype
        if question.rclass not in (wire.CLASS_IN, wire.CLASS_ANY) or rtype in (wire.AXFR, wire.OPT):
            return Found(wire.REFUSED, authoritative=False)
        node = self.zone.nodes.get(name)
        if node is None:
            if wire.is_below(name, self.zone.origin):
                return Found(wire.NXDOMAIN, authority=self._soa(name))
            return Found(wire.REFUSED, authoritative=False)
        if rtype == wire.ANY:
            return _ANY if node else Found(wire.NOERROR, authority=self._soa(name))
        if rtype == wire.IXFR:  # RFC 1995 2: over UDP the SOA alone says "ask again over TCP"
            rtype = wire.SOA
        rrset = node.get(rtype)
        if rrset is not None:
            return Found(wire.NOERROR, self._pointer(name).join(rrset.answer), len(rrset.rdatas))
        if wire.CNAME in node:
            return self._alias(name, node[wire.CNAME], rtype)
        return Found(wire.NOERROR, authority=self._soa(name))

    def _alias(self, name: bytes, alias: Rrset, rtype: int) -> Found:
        """RFC 1034 4.3.2 3a: the alias, and what it stands for as far as this zone knows."""
        pointer, answer, count = self._pointer(name), [], 1
        answer.append(pointer.join(alias.answer))
        for _ in range(ALIASES_MAX):
            target = alias.rdatas[0].lower()
            node: Node = self.zone.nodes.get(target, {})
            rrset = node.get(rtype) or node.get(wire.CNAME)
            if rrset is None:
                break
            owner = target[: -len(self.zone.origin)] + pointer
            answer.extend(owner + pointer.join(pieces) for pieces in rrset.bodies)
            count += len(rrset.rdatas)
            if rrset.rtype == rtype:
                break
            alias = rrset
        return Found(wire.NOERROR, b"".join(answer), count)

    def _pointer(self, name: bytes) -> bytes:
        """A compression pointer to the zone's own name, at the end of the echoed question."""
        return struct.pack("!H", 0xC000 | 12 + len(name) - len(self.zone.origin))

    def _soa(self, name: bytes) -> bytes:
        pointer = self._pointer(name)
        return pointer + pointer.join(self._denial)


def refusal(query: bytes, rcode: int, question: Question | None = None) -> bytes:
    """A header, and the question if there was one that could be read."""
    ident, flags = struct.unpack_from("!HH", query)
    echoed = query[12 : question.end] if question else b""
    flags = wire.QR | flags & (wire.OPCODE_BITS | wire.RD) | rcode
    return wire.HEADER.pack(ident, flags, 1 if question else 0, 0, 0, 0) + echoed


def truncated(query: bytes) -> bytes | None:
    """ "Ask over TCP", no longer than the question: for a source that asks too much over UDP."""
    try:
        question = wire.read_question(query)
    except Malformed:
        return None
    ident, flags = struct.unpack_from("!HH", query)
    header = wire.HEADER.pack(ident, wire.QR | wire.AA | wire.TC | flags & wire.RD, 1, 0, 0, 0)
    return header + query[12 : question.end]


def _after_authority(query: bytes, question: Question, count: int) -> int:
    """Step over the SOA that an IXFR brings (RFC 1995 3); nothing else belongs there."""
    if count > (1 if question.rtype == wire.IXFR else 0):
        raise Malformed("an authority section in a question")
    return wire.read_record(query, question.end)[1] if count else question.end


def _read_edns(query: bytes, at: int, additional: int) -> Edns | None:
    """Look for the OPT record behind the question; whatever else stands there has to be well formed."""
    if additional > ADDITIONAL_MAX:
        raise Malformed("more additional records than a question has")
    edns = None
    for _ in range(additional):
        is_opt = query[at : at + 3] == _OPT_TYPE
        record, at = wire.read_record(query, at)
        if is_opt and edns:
            raise Malformed("two OPT records")  # RFC 6891 6.1.1
        if is_opt:
            edns = Edns(record.rclass, record.ttl >> 16 & 0xFF, bool(record.ttl & 0x8000))
    if at != len(query):
        raise Malformed("octets after the end")
    return edns


def _message(query: bytes, question: Question, edns: Edns | None, found: Found, udp: bool, reserved: int) -> bytes:
    ident, flags = struct.unpack_from("!HH", query)
    flags = wire.QR | flags & wire.RD | found.rcode & 15 | (wire.AA if found.authoritative else 0)
    opt = b""
    if edns:  # RFC 6891 6.1.1; RFC 3225 3: the DO bit is copied
        extended = found.rcode >> 4 << 24 | (0x8000 if edns.dnssec_ok else 0)
        opt = b"\0" + wire.FIXED.pack(wire.OPT, UDP_OCTETS_MAX, extended, 0)
    size = question.end + len(found.answer) + len(found.authority) + len(opt)
    if size > _room(edns, udp) - reserved:
        header = wire.HEADER.pack(ident, flags | wire.TC, 1, 0, 0, 1 if opt else 0)
        return header + query[12 : question.end] + opt
    counts = (1, found.count, 1 if found.authority else 0, 1 if opt else 0)
    return wire.HEADER.pack(ident, flags, *counts) + query[12 : question.end] + found.answer + found.authority + opt


def _room(edns: Edns | None, udp: bool) -> int:
    if not udp:
        return wire.MESSAGE_OCTETS_MAX
    return min(max(edns.octets_max, PLAIN_OCTETS_MAX), UDP_OCTETS_MAX) if edns else PLAIN_OCTETS_MAX


_HINFO = b"\x07RFC8482\0"
# RFC 8482 4.2: a small answer to ANY, so that it is of no use to an attacker.
_ANY = Found(wire.NOERROR, b"\xc0\x0c" + wire.FIXED.pack(wire.HINFO, wire.CLASS_IN, 3_600, len(_HINFO)) + _HINFO, 1)

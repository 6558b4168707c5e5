"""From the tokens of one record's data to its wire form, by type.

Law: the types a fabric is made of are read here, fast; every other type is left to dnspython, record by record.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

import dns.exception
import dns.name
import dns.rdata
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from directory import wire
from directory.tokens import BadText, octets_of

NameReader = Callable[[str], bytes]  # a token -> an absolute wire name

TXT_OCTETS_MAX = 255  # one character-string, RFC 1035 3.3
RDATA_OCTETS_MAX = 65_535 - 512  # leaves room for the header, the question and the owner in one message
TTL_MAX = 2**31 - 1  # RFC 2181 8

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DIGITS = frozenset("0123456789")


def read_rdata(rtype: int, tokens: Sequence[str], name: NameReader, origin: bytes) -> bytes:
    """Return the wire form of `tokens` as data of type `rtype`; raise BadText."""
    if not tokens:
        raise BadText(f"no data after {type_name(rtype)}", "Write the record's data after its type.")
    reader = _READERS.get(rtype)
    if reader is None or tokens[0] == "\\#":  # RFC 3597 5: data in hexadecimal, for any type
        return _by_dnspython(rtype, tokens, origin)
    return reader(tokens, name)


def read_ttl(token: str) -> int:
    """Read ``300`` or, as BIND has it, ``5m``, ``1h30m``."""
    total, number = 0, ""
    for character in token.lower():
        if character in _DIGITS:
            number += character
        elif character in _UNITS and number:
            total, number = total + int(number) * _UNITS[character], ""
        else:
            raise BadText(f"{token!a} is no time", "Write seconds, as 300, or 5m, 1h, 2d, 1w.")
        if len(number) > 10:
            break
    total += int(number or "0")
    if total > TTL_MAX:
        raise BadText(f"{token} seconds are over 2^31-1", "Write a shorter time.")
    return total


def type_name(rtype: int) -> str:
    return RdataType.to_text(RdataType.make(rtype))


def type_number(token: str) -> int:
    """``MX`` -> 15, ``TYPE65280`` -> 65280."""
    try:
        number = int(RdataType.from_text(token.upper()))
    except (dns.exception.DNSException, ValueError):
        raise BadText(f"{token!a} is no record type", "A line reads: owner, TTL, IN, type, data.") from None
    if number in (0, wire.OPT) or 128 <= number <= 255:  # RFC 6895 3.1: meta and question types
        raise BadText(f"{token!a} is a type for questions only", "Take the line out.")
    return number


def rdata_text(rtype: int, rdata: bytes, origin: bytes = b"") -> str:
    """Return rdata as a master file has it, names absolute, or relative to an origin where they are under it."""
    value = dns.rdata.from_wire(RdataClass.IN, RdataType.make(rtype), rdata, 0, len(rdata))
    return value.to_text(dns.name.from_wire(origin, 0)[0], relativize=True) if origin else value.to_text()


def _need(tokens: Sequence[str], count: int, example: str) -> None:
    if len(tokens) != count:
        raise BadText(
            f"{len(tokens)} fields of data where {count} belong: {' '.join(tokens)[:60]!a}", f"As: {example}."
        )


def _number(token: str, largest: int, what: str) -> int:
    if not token.isdecimal() or len(token) > 10 or int(token) > largest:
        raise BadText(f"{token!a} is no {what}", f"Write a number from 0 to {largest}.")
    return int(token)


def _a(tokens: Sequence[str], name: NameReader) -> bytes:
    _need(tokens, 1, "host-1 A 192.0.2.1")
    return _address(socket.AF_INET, tokens[0])


def _aaaa(tokens: Sequence[str], name: NameReader) -> bytes:
    _need(tokens, 1, "host-1 AAAA 2001:db8::1")
    return _address(socket.AF_INET6, tokens[0])


def _address(family: socket.AddressFamily, token: str) -> bytes:
    try:
        return socket.inet_pton(family, token)
    except (OSError, ValueError):
        kind = "IPv4" if family == socket.AF_INET else "IPv6"
        raise BadText(f"{token!a} is no {kind} address", "Write the host's address.") from None


def _mx(tokens: Sequence[str], name: NameReader) -> bytes:
    _need(tokens, 2, "b7.timeline MX 10 host-1")
    return _number(tokens[0], 65_535, "preference").to_bytes(2, "big") + name(tokens[1])


def _one_name(tokens: Sequence[str], name: NameReader) -> bytes:
    _need(tokens, 1, "@ NS host-1")
    return name(tokens[0])


def _srv(tokens: Sequence[str], name: NameReader) -> bytes:
    _need(tokens, 4, "_imaps._tcp SRV 0 1 993 host-1")
    return b"".join(_number(t, 65_535, "16-bit number").to_bytes(2, "big") for t in tokens[:3]) + name(tokens[3])


def _txt(tokens: Sequence[str], name: NameReader) -> bytes:
    strings = [octets_of(token.removeprefix('"')) for token in tokens]
    if any(len(string) > TXT_OCTETS_MAX for string in strings):
        raise BadText("a string over 255 octets", 'Cut it in two, as "first half" "second half".')
    return b"".join(bytes((len(string),)) + string for string in strings)


def _soa(tokens: Sequence[str], name: NameReader) -> bytes:
    _need(tokens, 7, "@ SOA host-1 postmaster (1 300 60 14d 60)")
    serial = _number(tokens[2], 2**32 - 1, "serial").to_bytes(4, "big")
    times = b"".join(read_ttl(token).to_bytes(4, "big") for token in tokens[3:])
    return name(tokens[0]) + name(tokens[1]) + serial + times


def _by_dnspython(rtype: int, tokens: Sequence[str], origin: bytes) -> bytes:
    text = " ".join(f'{token}"' if token.startswith('"') else token for token in tokens)
    apex = dns.name.from_wire(origin, 0)[0]
    try:
        value = dns.rdata.from_text(RdataClass.IN, RdataType.make(rtype), text, origin=apex, relativize=False)
        return bytes(value.to_wire(origin=apex) or b"")
    except (dns.exception.DNSException, ValueError, OverflowError) as wrong:
        raise BadText(f"not {type_name(rtype)} data: {wrong}"[:200], "See the type's RFC for its form.") from None


_READERS: dict[int, Callable[[Sequence[str], NameReader], bytes]] = {
    wire.A: _a,
    wire.AAAA: _aaaa,
    wire.NS: _one_name,
    wire.CNAME: _one_name,
    wire.MX: _mx,
    wire.TXT: _txt,
    wire.SOA: _soa,
    wire.SRV: _srv,
}

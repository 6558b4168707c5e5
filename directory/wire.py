"""DNS names and messages as octets (RFC 1035 3.1, 4.1): what the server, the transfers and the zone reader share.

Law: a name is its uncompressed wire form, in lower case where it is a key. Nothing here trusts a length or a pointer.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

A, NS, CNAME, SOA, PTR, HINFO, MX, TXT, AAAA, SRV, DNAME, OPT = 1, 2, 5, 6, 12, 13, 15, 16, 28, 33, 39, 41
IXFR, AXFR, ANY = 251, 252, 255
CLASS_IN, CLASS_NONE, CLASS_ANY = 1, 254, 255
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH, BADVERS = 0, 1, 2, 3, 4, 5, 9, 16
YXDOMAIN, YXRRSET, NXRRSET, NOTZONE = 6, 7, 8, 10  # RFC 2136 2.2
QUERY, NOTIFY, UPDATE = 0, 4, 5  # opcodes
QR, AA, TC, RD = 0x8000, 0x0400, 0x0200, 0x0100
OPCODE_BITS = 0x7800

LABEL_OCTETS_MAX = 63  # RFC 1035 2.3.4
NAME_OCTETS_MAX = 255
MESSAGE_OCTETS_MAX = 65_535  # the length field of DNS over TCP, RFC 1035 4.2.2

# Where rdata holds names that may be compressed: octets before the first name, how many names (RFC 3597 4: only the
# types of RFC 1035).
COMPRESSIBLE = {NS: (0, 1), CNAME: (0, 1), PTR: (0, 1), SOA: (0, 2), MX: (2, 1)}

HEADER = struct.Struct("!6H")
FIXED = struct.Struct("!HHIH")  # type, class, TTL, length of rdata
_PLAIN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*/+="


class Malformed(ValueError):
    """A message or name breaks RFC 1035."""


class Question(NamedTuple):
    """The one question of a message: its name in lower case, and where the next section begins."""

    name: bytes
    rtype: int
    rclass: int
    end: int


class WireRecord(NamedTuple):
    """A record of a message: its owner in lower case, its rdata without compression."""

    owner: bytes
    rtype: int
    rclass: int
    ttl: int
    rdata: bytes


def name_of(text: str) -> bytes:
    """``host-1.fabric.test`` -> wire, absolute, in lower case. For names known to be plain, as a fabric's domain."""
    labels = [label.encode("ascii") for label in text.lower().rstrip(".").split(".") if label]
    if any(len(label) > LABEL_OCTETS_MAX for label in labels):
        raise Malformed("a label over 63 octets")
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def text_of(name: bytes) -> str:
    """Wire -> ``host-1.fabric.test``, without the final dot; odd octets escaped (RFC 1035 5.1), the root is ``.``."""
    labels, at = [], 0
    while name[at]:
        label = name[at + 1 : at + 1 + name[at]]
        labels.append(_escaped(label) if label.translate(None, _PLAIN) else label.decode())
        at += 1 + name[at]
    return ".".join(labels) or "."


def _escaped(label: bytes) -> str:
    return "".join(chr(octet) if octet in _PLAIN else f"\\{octet:03d}" for octet in label)


def is_below(name: bytes, origin: bytes) -> bool:
    """Tell whether `name` is `origin` or under it, counting whole labels."""
    at = 0
    while len(name) - at > len(origin) and name[at]:
        at += 1 + name[at]
    return name[at:] == origin


def read_name(message: bytes, at: int) -> tuple[bytes, int]:
    """Return the name at `at`, without compression, and where what follows begins.

    A pointer leads strictly backwards (RFC 1035 4.1.4, "a prior occurrence"), so that no loop is possible.
    """
    labels, size, after, lowest = [], 1, 0, at
    try:
        while length := message[at]:
            if length >= 0xC0:
                after = after or at + 2
                at = (length & 0x3F) << 8 | message[at + 1]
                if at >= lowest:
                    raise Malformed("a compression pointer that does not lead backwards")
                lowest = at
                continue
            if length > LABEL_OCTETS_MAX:
                raise Malformed("a label type that nobody uses")
            labels.append(message[at : at + 1 + length])
            at, size = at + 1 + length, size + 1 + length
            if size > NAME_OCTETS_MAX:
                raise Malformed("a name over 255 octets")
    except IndexError:
        raise Malformed("the message ends inside a name") from None
    return b"".join(labels) + b"\0", after or at + 1


def read_question(message: bytes) -> Question:
    """Read the question after the header. A compressed name there has nothing to point at: it is malformed."""
    at = 12
    while at < len(message) and 0 < message[at] <= LABEL_OCTETS_MAX:
        at += 1 + message[at]
    if len(message) < at + 5 or message[at] or at + 1 - 12 > NAME_OCTETS_MAX:
        raise Malformed("no question that can be read")
    rtype, rclass = struct.unpack_from("!HH", message, at + 1)
    return Question(message[12 : at + 1].lower(), rtype, rclass, at + 5)


def read_record(message: bytes, at: int) -> tuple[WireRecord, int]:
    """Return the record at `at` and where the next begins."""
    owner, at = read_name(message, at)
    if len(message) < at + 10:
        raise Malformed("the message ends inside a record")
    rtype, rclass, ttl, length = FIXED.unpack_from(message, at)
    start, end = at + 10, at + 10 + length
    if len(message) < end:
        raise Malformed("the message ends inside a record")
    return WireRecord(owner.lower(), rtype, rclass, ttl, _expanded(message, rtype, start, end)), end


def _expanded(message: bytes, rtype: int, start: int, end: int) -> bytes:
    """Return rdata with its names written out."""
    if rtype not in COMPRESSIBLE or start == end:
        return message[start:end]
    before, names = COMPRESSIBLE[rtype]
    parts, at = [message[start : start + before]], start + before
    for _ in range(names):
        name, at = read_name(message, at)
        parts.append(name)
    if at > end:
        raise Malformed("a name that runs over its record")
    return b"".join((*parts, message[at:end]))

"""TSIG (RFC 8945): who asked, and that nobody altered it on the way.

Law: pure; the time is an argument. A message is signed over its very octets, so nothing here takes one apart further
than its last record. Truncated MACs and HMAC-MD5 are refused (RFC 8945 5.2.2.1, 6).
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from directory import wire
from directory.answers import refusal
from directory.wire import Malformed, Question, WireRecord

TSIG = 250
FUDGE_SECONDS = 300  # RFC 8945 10: what clocks may differ
BADSIG, BADKEY, BADTIME = 16, 17, 18
UNSIGNED_MAX = 99  # messages of a transfer between two that are signed, RFC 8945 5.3.1

ALGORITHMS = {
    wire.name_of(f"hmac-{name}"): name for name in ("sha1", "sha224", "sha256", "sha384", "sha512")
}  # name on the wire -> what hashlib calls it

_MARK = struct.pack("!HH", TSIG, wire.CLASS_ANY)  # stands in every signed message, and hardly in others


@dataclass(frozen=True, slots=True)
class Key:
    """A shared secret. `name` and `algorithm` are wire names in lower case."""

    name: bytes
    algorithm: bytes
    secret: bytes = field(repr=False)

    @property
    def stamp_octets(self) -> int:
        """How much longer a signature makes an answer."""
        return len(self.name) + 10 + len(self.algorithm) + 16 + hashlib.new(ALGORITHMS[self.algorithm]).digest_size

    def mac(self, *parts: bytes) -> bytes:
        return hmac.digest(self.secret, b"".join(parts), ALGORITHMS[self.algorithm])


@dataclass(frozen=True, slots=True)
class Stamp:
    """The TSIG record at a message's end. `start`: where it begins."""

    key: bytes
    algorithm: bytes
    when: int
    fudge: int
    mac: bytes
    ident: int
    error: int
    other: bytes
    start: int

    def variables(self) -> bytes:
        """RFC 8945 4.3.3."""
        fixed = struct.pack("!HI", wire.CLASS_ANY, 0)
        return self.key + fixed + self.algorithm + self.timers() + _rest(self.error, self.other)

    def timers(self) -> bytes:
        return _timers(self.when, self.fudge)


@dataclass(frozen=True, slots=True)
class Asked:
    """A message without its signature, who signed it (None: nobody), and the MAC that the answer is bound to."""

    message: bytes
    key: Key | None = None
    mac: bytes = b""
    when: int = 0


def check(message: bytes, keys: Mapping[bytes, Key], now: float) -> Asked | bytes:
    """Return who asked, or the answer that refuses a question whose signature does not hold (RFC 8945 5.2)."""
    if _MARK not in message:
        return Asked(message)
    try:
        question = wire.read_question(message)
        stamp = stamp_of(message, question.end, sum(struct.unpack_from("!3H", message, 6)))
    except Malformed:
        return refusal(message, wire.FORMERR)
    if stamp is None:
        return Asked(message)
    key = keys.get(stamp.key)
    if key is None or key.algorithm != stamp.algorithm:
        return _no(message, question, stamp, BADKEY)
    bare = unsigned(message, stamp)
    if not hmac.compare_digest(stamp.mac, key.mac(_original(bare, stamp), stamp.variables())):
        return _no(message, question, stamp, BADSIG)
    if abs(int(now) - stamp.when) > min(stamp.fudge, FUDGE_SECONDS):
        late = Signer(key, stamp.mac)  # this answer is signed, with the client's time, and tells ours
        return late.sign(refusal(message, wire.NOTAUTH, question), stamp.when, BADTIME, now)
    return Asked(bare, key, stamp.mac, stamp.when)


class Signer:
    """Signs what one side says in one conversation: a question, its answer, or the messages of a transfer in order."""

    def __init__(self, key: Key, prior: bytes = b"") -> None:
        self.key, self.mac = key, prior
        self._first = True

    def sign(self, message: bytes, when: float, error: int = 0, told: float | None = None) -> bytes:
        """Return the message with its TSIG. `told`: the time to tell a client whose clock is wrong."""
        timers = _timers(int(when), FUDGE_SECONDS)
        other = b"" if told is None else int(told).to_bytes(6, "big")
        stamp = Stamp(self.key.name, self.key.algorithm, int(when), FUDGE_SECONDS, b"", 0, error, other, len(message))
        covered = stamp.variables() if self._first else timers
        self.mac = self.key.mac(_prefixed(self.mac), message, covered)
        self._first = False
        return _appended(message, stamp, self.mac)


class Verifier:
    """Checks the answer to a question of ours, message by message. Raises Malformed for what is not the primary's."""

    def __init__(self, key: Key, mac: bytes) -> None:
        self._key, self._prior = key, mac
        self._first = True
        self._pending: list[bytes] = []

    def take(self, message: bytes, at: int, now: float) -> None:
        """`at`: where the message's answers end. A signature covers the unsigned messages before it."""
        stamp = stamp_of(message, at, sum(struct.unpack_from("!2H", message, 8)))
        if stamp is None:
            self._pending.append(message)
            if self._first or len(self._pending) > UNSIGNED_MAX:
                raise Malformed("an answer that is not signed")
            return
        if stamp.error or (stamp.key, stamp.algorithm) != (self._key.name, self._key.algorithm):
            raise Malformed(f"TSIG refused: {_ERRORS.get(stamp.error, stamp.error or 'another key')}")
        bare = _original(unsigned(message, stamp), stamp)
        covered = stamp.variables() if self._first else stamp.timers()
        if not hmac.compare_digest(stamp.mac, self._key.mac(_prefixed(self._prior), *self._pending, bare, covered)):
            raise Malformed("an answer with a wrong signature")
        if abs(int(now) - stamp.when) > min(stamp.fudge, FUDGE_SECONDS):
            raise Malformed("an answer signed at another time: set the clocks right")
        self._prior, self._first, self._pending = stamp.mac, False, []

    def done(self) -> None:
        """After the last message, which has to be signed."""
        if self._first or self._pending:
            raise Malformed("the end of the answer is not signed")


def stamp_of(message: bytes, at: int, records: int) -> Stamp | None:
    """Find the TSIG behind `records` - 1 others from `at` on; None where the last record is another."""
    record, start = None, at
    for _ in range(records):
        start = at
        record, at = wire.read_record(message, at)
        if record.rtype == TSIG and at != len(message):
            raise Malformed("a TSIG that is not at the end")  # RFC 8945 5.1
    return _read(record, start) if record and record.rtype == TSIG else None


def unsigned(message: bytes, stamp: Stamp) -> bytes:
    """The message without its TSIG."""
    count = struct.unpack_from("!H", message, 10)[0] - 1
    if count < 0:
        raise Malformed("a TSIG outside the additional section")
    return message[:10] + struct.pack("!H", count) + message[12 : stamp.start]


def _read(record: WireRecord, start: int) -> Stamp:
    algorithm, at = wire.read_name(record.rdata, 0)
    try:
        high, low, fudge, size = struct.unpack_from("!HIHH", record.rdata, at)
        mac = record.rdata[at + 10 : at + 10 + size]
        ident, error, length = struct.unpack_from("!3H", record.rdata, at + 10 + size)
    except struct.error:
        raise Malformed("a TSIG that ends early") from None
    other = record.rdata[at + 16 + size :]
    if record.rclass != wire.CLASS_ANY or record.ttl or len(other) != length:
        raise Malformed("no TSIG as RFC 8945 4.2 has it")
    return Stamp(record.owner, algorithm.lower(), high << 32 | low, fudge, mac, ident, error, other, start)


def _no(message: bytes, question: Question, stamp: Stamp, error: int) -> bytes:
    """RFC 8945 5.2: NOTAUTH, with a TSIG that names the error and signs nothing."""
    told = Stamp(stamp.key, stamp.algorithm, stamp.when, FUDGE_SECONDS, b"", 0, error, b"", 0)
    return _appended(refusal(message, wire.NOTAUTH, question), told, b"")


def _appended(message: bytes, stamp: Stamp, mac: bytes) -> bytes:
    ident, count = message[:2], struct.unpack_from("!H", message, 10)[0] + 1
    rdata = stamp.algorithm + stamp.timers() + struct.pack("!H", len(mac)) + mac + ident
    rdata += _rest(stamp.error, stamp.other)
    record = stamp.key + wire.FIXED.pack(TSIG, wire.CLASS_ANY, 0, len(rdata)) + rdata
    return message[:10] + struct.pack("!H", count) + message[12:] + record


def _original(bare: bytes, stamp: Stamp) -> bytes:
    """With the ID that was signed: a forwarder may have given it another (RFC 8945 5.5)."""
    return struct.pack("!H", stamp.ident) + bare[2:]


def _timers(when: int, fudge: int) -> bytes:
    return when.to_bytes(6, "big") + struct.pack("!H", fudge)


def _rest(error: int, other: bytes) -> bytes:
    return struct.pack("!HH", error, len(other)) + other


def _prefixed(mac: bytes) -> bytes:
    return struct.pack("!H", len(mac)) + mac if mac else b""


_ERRORS = {
    BADSIG: "BADSIG: the secrets differ",
    BADKEY: "BADKEY: the key is not known there",
    BADTIME: "BADTIME: the clocks differ",
}

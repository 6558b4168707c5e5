"""What is done with a message: by its signature, its opcode, and what its sender may.

Law: whoever signed is told so by a signed answer; whoever may not gets REFUSED and nothing else. A signed transfer or
NOTIFY that is replayed within the fudge gets its sender nothing: the zone is public, and a NOTIFY only makes us ask. An
update is another matter: see `directory.updates`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field

from directory import tsig, wire
from directory.answers import Answers, refusal, truncated
from directory.journal import Journal
from directory.rate import Verdict
from directory.transfer_out import transfer
from directory.tsig import Asked, Key, Signer
from directory.wire import Question

Replies = Iterator[bytes]
Later = Awaitable[bytes | None]  # an answer that takes a while, signed already


async def _no_updates(asked: Asked, source: str) -> bytes:
    return refusal(asked.message, wire.REFUSED)


@dataclass(frozen=True, slots=True)
class Rights:
    """What a source may, decided above, by its address and by the key it signed with (None: not signed). `notified` is
    called for a NOTIFY of the zone and says whether it counts; `update` carries out an UPDATE and answers it."""

    may_transfer: Callable[[str, Key | None], bool]
    notified: Callable[[str, Key | None], bool]
    update: Callable[[Asked, str], Awaitable[bytes]] = _no_updates
    keys: Mapping[bytes, Key] = field(default_factory=dict)


class Reception:
    """Answers what comes in, from the zone it was last given. `clock`: seconds since 1970, for signatures."""

    def __init__(self, rights: Rights, clock: Callable[[], float]) -> None:
        self.answers: Answers | None = None
        self._rights, self._clock = rights, clock
        self._journal = Journal()

    def show(self, answers: Answers) -> None:
        """Answer from another version from now on."""
        if self.answers is not None and self.answers.zone.serial != answers.zone.serial:
            self._journal.note(self.answers.zone, answers.zone)
        self.answers = answers

    def datagram(self, packet: bytes, source: str, verdict: Verdict) -> bytes | Later | None:
        """Answer a question that came over UDP."""
        asked = tsig.check(packet, self._rights.keys, self._clock())
        if isinstance(asked, bytes):
            return asked
        opcode = packet[2] >> 3 & 15
        if opcode == wire.UPDATE:
            return self._update(asked, source)
        if opcode:
            return self._signed(asked, self._other_opcode(asked, source))
        if verdict == "truncate":
            return self._signed(asked, truncated(asked.message))
        if self.answers is None:
            return self._signed(asked, refusal(asked.message, wire.SERVFAIL))
        reserved = asked.key.stamp_octets if asked.key else 0
        return self._signed(asked, self.answers.reply(asked.message, udp=True, reserved=reserved))

    def stream(self, query: bytes, source: str) -> Replies | Later:
        """Answer a question that came over TCP; EOFError for what is no question."""
        if len(query) < wire.HEADER.size or query[2] & 0x80:
            raise EOFError
        asked = tsig.check(query, self._rights.keys, self._clock())
        if isinstance(asked, bytes):
            return iter((asked,))
        if query[2] >> 3 & 15 == wire.UPDATE:
            return self._update(asked, source)
        return self._all_signed(asked, self._replies(asked, source))

    def _replies(self, asked: Asked, source: str) -> Replies:
        query = asked.message
        if query[2] & 0x78:
            return iter((self._other_opcode(asked, source),))
        if self.answers is None:
            return iter((refusal(query, wire.SERVFAIL),))
        try:
            question = wire.read_question(query)
        except wire.Malformed:
            return iter((refusal(query, wire.FORMERR),))
        if question.rtype not in (wire.AXFR, wire.IXFR) or question.rclass != wire.CLASS_IN:
            reply = self.answers.reply(query, udp=False)
            return iter((reply,) if reply else ())
        if not self._is_ours(question):
            return iter((refusal(query, wire.NOTAUTH, question),))  # RFC 5936 2.2.1
        if not self._rights.may_transfer(source, asked.key):
            return iter((refusal(query, wire.REFUSED, question),))
        return transfer(self.answers.zone, query, question, self._journal)

    def _other_opcode(self, asked: Asked, source: str) -> bytes:
        """NOTIFY (RFC 1996); anything else is not implemented."""
        packet = asked.message
        if packet[2] >> 3 & 15 != wire.NOTIFY:
            return refusal(packet, wire.NOTIMP)
        try:
            question = wire.read_question(packet)
        except wire.Malformed:
            return refusal(packet, wire.FORMERR)
        if question.rtype != wire.SOA or not self._is_ours(question) or not self._rights.notified(source, asked.key):
            return refusal(packet, wire.REFUSED, question)
        ident, flags = packet[:2], wire.QR | wire.AA | wire.NOTIFY << 11
        header = ident + flags.to_bytes(2, "big") + b"\0\1" + bytes(6)
        return header + packet[12 : question.end]

    async def _update(self, asked: Asked, source: str) -> bytes | None:
        return self._signed(asked, await self._rights.update(asked, source))

    def _is_ours(self, question: Question) -> bool:
        return self.answers is None or question.name == self.answers.zone.origin

    def _signed(self, asked: Asked, reply: bytes | None) -> bytes | None:
        if asked.key is None or reply is None:
            return reply
        return Signer(asked.key, asked.mac).sign(reply, self._clock())

    def _all_signed(self, asked: Asked, replies: Replies) -> Replies:
        """Every message of a transfer: RFC 8945 5.3.1 allows gaps, and a signature costs microseconds."""
        if asked.key is None:
            return replies
        signer = Signer(asked.key, asked.mac)
        return (signer.sign(reply, self._clock()) for reply in replies)

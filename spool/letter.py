"""One mail transaction as a client says it: its commands, and what the replies mean. Without I/O.

Law: what is written holds only CRLF line ends and no command but ours; every recipient gets one outcome.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from mail.headers import header_block
from mail.outcome import Deferred, Outcome, Refused, outcome_of
from spool.reply_reader import Reply
from spool.stamp import Back, Front, nothing_behind, nothing_in_front

_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # what mail.address keeps out; other letters that nobody sees may pass
_XTEXT = re.compile(r"[^!-*,-<>-~]")
_XTEXT_HEX = re.compile(r"\+([0-9A-F]{2})")


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server's EHLO offers. `nonce`: of XHELIOGRAPH. `size` 0: no limit told. `auth`: how one may sign in."""

    pipelining: bool = False
    eightbit: bool = False
    smtputf8: bool = False
    dsn: bool = False
    starttls: bool = False
    size: int = 0
    nonce: str = ""
    auth: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Content:
    """A message ready for the wire: CRLF only, dots stuffed, without the final dot. `front`, `back`: what each
    transaction has in front of it and behind it."""

    wire: bytes
    size: int
    eightbit: bool
    utf8_header: bool
    front: Front = nothing_in_front
    back: Back = nothing_behind


@dataclass(frozen=True, slots=True)
class Letter:
    """A message for some recipients at one destination. `notes`: (NOTIFY, ORCPT) each, or () where nobody has any."""

    sender: str
    recipients: Sequence[str]
    content: Content
    envid: str = ""
    ret: str = ""
    smtputf8: bool = False
    notes: Sequence[tuple[str, str]] = ()
    front: bytes = b""  # header fields before the content: no dot to stuff
    back: bytes = b""  # lines behind the content

    @property
    def size(self) -> int:
        return len(self.front) + self.content.size + len(self.back)

    @property
    def end(self) -> bytes:
        """What is said after the content: the lines behind it, and the dot."""
        return _stuffed(self.back) + b".\r\n"

    @property
    def needs_smtputf8(self) -> bool:
        """RFC 6531 3.4: an address that is not ASCII, or a header that is not and was declared so."""
        if not self.sender.isascii() or not all(map(str.isascii, self.recipients)):
            return True
        return self.smtputf8 and self.content.utf8_header


def normal(message: bytes) -> bytes:
    """Rooms and doors keep CRLF; if one ever did not, the world must not see it (smuggling)."""
    if not message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r"):
        message = _BARE.sub(b"\r\n", message)
    return message if message.endswith(b"\r\n") else message + b"\r\n"


def prepare(message: bytes, front: Front = nothing_in_front, back: Back = nothing_behind) -> Content:
    """Make a message ready."""
    size = len(message)
    message = normal(message)
    eightbit = not message.isascii()
    utf8_header = eightbit and not header_block(message).isascii()
    return Content(_stuffed(message), size, eightbit, utf8_header, front, back)


def _stuffed(lines: bytes) -> bytes:
    """RFC 5321 4.5.2."""
    lines = lines.replace(b"\r\n.", b"\r\n..")
    return b"." + lines if lines.startswith(b".") else lines


def read_offer(lines: Sequence[str]) -> Offer:
    """Read the lines of an EHLO reply after the first."""
    words = {first.upper(): rest.split() for first, _, rest in (line.partition(" ") for line in lines[:64])}
    size = words.get("SIZE", [])
    nonce = words.get("XHELIOGRAPH", [])
    return Offer(
        pipelining="PIPELINING" in words,
        eightbit="8BITMIME" in words,
        smtputf8="SMTPUTF8" in words,
        dsn="DSN" in words,
        starttls="STARTTLS" in words,
        size=int(size[0]) if size and size[0].isdecimal() and len(size[0]) < 16 else 0,
        nonce=nonce[0] if nonce and len(nonce[0]) <= 200 else "",
        auth=frozenset(word.upper() for word in words.get("AUTH", [])),
    )


def misfit(letter: Letter, offer: Offer) -> Refused | None:
    """Tell why a server cannot be given a letter at all, whoever its recipients are."""
    if letter.needs_smtputf8 and not offer.smtputf8:
        return Refused("5.6.7 the next host does not take internationalized mail (SMTPUTF8)", 553)
    if letter.content.eightbit and not offer.eightbit:  # RFC 6152 3: convert, which breaks signatures, or refuse
        return Refused("5.6.3 the next host does not take 8-bit mail (8BITMIME)", 554)
    if 0 < offer.size < letter.size:
        return Refused(f"5.3.4 the message is larger than the {offer.size} octets that the next host takes", 552)
    return None


def mail_command(letter: Letter, offer: Offer) -> bytes:
    words = [f"MAIL FROM:<{letter.sender}>"]
    if offer.size:
        words.append(f"SIZE={letter.size}")
    if offer.eightbit and letter.content.eightbit:
        words.append("BODY=8BITMIME")
    if letter.needs_smtputf8:
        words.append("SMTPUTF8")
    if offer.dsn and letter.ret in ("FULL", "HDRS"):
        words.append(f"RET={letter.ret}")
    if offer.dsn and letter.envid:
        words.append(f"ENVID={xtext(letter.envid)}")
    return _command(" ".join(words))


def rcpt_commands(letter: Letter, offer: Offer) -> list[bytes]:
    """RCPT TO, one each; pipelined they are joined."""
    if not (offer.dsn and letter.notes):
        return [_command(f"RCPT TO:<{recipient}>") for recipient in letter.recipients]
    return [
        _command(f"RCPT TO:<{recipient}>{_parameters(*note)}")
        for recipient, note in zip(letter.recipients, letter.notes, strict=True)
    ]


def rcpt_block(letter: Letter, offer: Offer) -> bytes:
    """All of RCPT TO at once, for a pipelined group: a fan-out's hottest line."""
    if offer.dsn and letter.notes:
        return b"".join(rcpt_commands(letter, offer))
    if _has_control("".join(letter.recipients)):
        raise ValueError("control character in a recipient")
    return ("RCPT TO:<" + ">\r\nRCPT TO:<".join(letter.recipients) + ">\r\n").encode()


def _parameters(notify: str, orcpt: str) -> str:
    return (f" NOTIFY={notify}" if notify else "") + (f" ORCPT={orcpt}" if orcpt else "")


def _command(line: str) -> bytes:
    if _has_control(line):  # the grammar at the door keeps these out; here they would start another command
        raise ValueError(f"control character in a command: {line!r}")
    return line.encode() + b"\r\n"


def _has_control(text: str) -> bool:
    return not text.isprintable() and _CONTROL.search(text) is not None


def xtext(value: str) -> str:
    """RFC 3461 4: printable ASCII without "+" and "=", the rest as +XX."""
    return _XTEXT.sub(lambda found: "".join(f"+{octet:02X}" for octet in found[0].encode()), value)


def from_xtext(value: str) -> str:
    """Undo it; a character an octet."""
    return _XTEXT_HEX.sub(lambda found: chr(int(found[1], 16)), value)


@lru_cache(1024)
def outcome(reply: Reply) -> Outcome:
    if 300 <= reply.code < 400:  # no answer to anything that a recipient depends on
        return Deferred(f"4.5.0 unexpected reply: {reply}")
    return outcome_of(reply.code, reply.text)


def judge(mail: Reply, rcpts: Sequence[Reply], closing: Reply) -> list[Outcome]:
    """Give each recipient its outcome: MAIL's where that failed, RCPT's where that failed, else that of DATA or of the
    final dot (`closing`), of which only a 2xx after the dot is good."""
    if mail.code >= 300:
        return [outcome(mail)] * len(rcpts)
    end = outcome(closing)
    return [end if rcpt.code < 300 else outcome(rcpt) for rcpt in rcpts]


def judge_each(rcpts: Sequence[Reply], closings: Sequence[Reply], reason: str) -> list[Outcome]:
    """The same where each recipient that was taken has a reply of its own (LMTP); those that never came are tried
    again, for `reason`."""
    ends = iter(closings)
    lost = Deferred(f"4.4.2 {reason}", 421)

    def end() -> Outcome:
        closing = next(ends, None)
        return outcome(closing) if closing else lost

    return [end() if rcpt.code < 300 else outcome(rcpt) for rcpt in rcpts]


def judge_lost(
    count: int, mail: Reply | None, rcpts: Sequence[Reply], reason: str, taken: Outcome | None = None
) -> list[Outcome]:
    """The connection went away before the end: what was refused stays refused, the rest is tried again. `taken`: what
    a good RCPT means where nothing more was to come."""
    lost = Deferred(f"4.4.2 {reason}", 421)
    if mail is not None and mail.code >= 300:
        return [outcome(mail)] * count
    known: list[Outcome] = [outcome(rcpt) if rcpt.code >= 300 else taken or lost for rcpt in rcpts[:count]]
    return known + [lost] * (count - len(known))

"""What came back to a return path, read: whose mailbox, and whether it is gone, full, shut to us, or answers by itself.

Law: pure; whatever a stranger sends, it neither raises nor takes long. When in doubt it says less against a mailbox: a
provider that refuses us (5.7.x, or words to that effect under any other code) says nothing of its user.
"""

from __future__ import annotations

import email
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Literal

from flufl.bounce import scan_message

from mail.headers import Headers, first_addr_spec
from reflector.return_words import DEAD, DELAYED, FULL, POLICY, plain_text, words_before_original

# The library writes a traceback for what it cannot read: anybody could fill the log with those.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)

# dead: there is no such mailbox. weak: full, too large, timed out, or nobody says why. policy: we are not wanted.
Kind = Literal["dead", "weak", "policy", "delayed", "complaint", "automatic", "other"]

READ_OCTETS_MAX = 64 * 1024  # what counts stands in front of the returned mail
LINES_MAX = 2_000  # empty ones, as many as there can be, take the library 2 s
SEMICOLONS_MAX = 3_000  # the library reads a field's parameters in quadratic time
BOUNDARIES_MAX = 300  # each a part to make; a notice has five
PARTS_MAX = 50
RECIPIENTS_MAX = 50
REASON_CHARACTERS_MAX = 200

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_REPLY = re.compile(r"(?<![\d.])([45])\d\d[ -]")
_FAILURE = re.compile(
    r"undeliver|returned mail|delivery (?:status|failure|has failed|report)|mail (?:failure|delivery fail)"
    r"|failure notice|trying to deliver|could not be delivered|delivery error"
    r"|non.?delivery|not be delivered|user unknown",
    re.IGNORECASE,
)
_HOSTS = re.compile(
    r"daemon|postmaster|bounce|mail-?(?:er|system|delivery)|delivery|no-?reply|do-?not-?reply|notif|system"
)
_DEAD_CODES = frozenset(("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4"))  # RFC 3463 3.2-3.5
_POLICY_CODES = re.compile(r"[45]\.7\.\d+|5\.1\.[78]")  # security or policy; the sender's address, not the recipient's
_COMPLAINTS = frozenset(("abuse", "fraud", "opt-out", "opt-out-list", "virus", "miscategorized"))  # RFC 5965 7.3
_GOOD = ("delivered", "relayed", "expanded", "deliverable")


@dataclass(frozen=True, slots=True)
class Returned:
    """What is said of one mailbox. `address`: "" where none is named. `reason`: one clean line."""

    kind: Kind
    address: str = ""
    status: str = ""
    reason: str = ""


def read_returned(content: bytes) -> tuple[Returned, ...]:
    """Read a mail that came back; one finding at least."""
    content = b"\n".join(content[:READ_OCTETS_MAX].split(b"\n", LINES_MAX)[:LINES_MAX])
    if content.count(b";") > SEMICOLONS_MAX or content.count(b"\n--") > BOUNDARIES_MAX:
        return (Returned("other", reason="not readable"),)
    try:
        return tuple(_read(content))[:RECIPIENTS_MAX]
    except Exception as error:  # the library has some twenty ways to fail on a hostile header
        return (Returned("other", reason=type(error).__name__),)


def said_of(findings: tuple[Returned, ...], address: str) -> Returned:
    """What is said of one mailbox; where it is not named, the mildest: it may have been forwarded."""
    mild: tuple[Kind, ...] = ("complaint", "automatic", "other", "delayed", "policy", "weak", "dead")
    own = [one for one in findings if one.address.lower() == address.lower()]
    return min(own or findings, key=lambda one: mild.index(one.kind))


def _read(content: bytes) -> Iterator[Returned]:
    message = email.message_from_bytes(content)
    parts = [part for _, part in zip(range(PARTS_MAX), message.walk(), strict=False)]
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            yield _complaint(part)
            return
    blocks = [block for part in parts for block in _blocks(part)]
    headers = Headers.of(content)
    text = words_before_original(plain_text(parts))
    if blocks:
        yield from (_of_block(block, text) for block in blocks)
    else:
        yield from _of_text(message, headers, text)


def _complaint(part: Message) -> Returned:
    report = part.get_payload()
    fields = str(report[0]) if isinstance(report, list) and report else str(report)
    kind = re.search(r"(?im)^feedback-type:[ \t]*([a-z-]+)", fields)
    who = re.search(r"(?im)^original-rcpt-to:(.*)$", fields)
    about = first_addr_spec(who[1]) if who else ""
    complains = kind is not None and kind[1].lower() in _COMPLAINTS
    return Returned("complaint" if complains else "other", about, reason=f"feedback: {kind[1] if kind else 'none'}")


def _blocks(part: Message) -> Iterator[Message]:
    """The groups of fields of each recipient (RFC 3464 2.3)."""
    payload = part.get_payload()
    if part.get_content_type() != "message/delivery-status" or not isinstance(payload, list):
        return
    for block in payload:
        if isinstance(block, Message) and (block["final-recipient"] or block["action"] or block["status"]):
            yield block


def _of_block(block: Message, text: str) -> Returned:
    action = _field(block, "action").lower()
    address = _mailbox(_field(block, "original-recipient")) or _mailbox(_field(block, "final-recipient"))
    address = address or _mailbox(_field(block, "x-actual-recipient"))
    said = _field(block, "diagnostic-code")
    status = _code(_field(block, "status")) or _code(said)
    if action in _GOOD:
        return Returned("other", address, status, action)
    if action == "delayed":
        return Returned("delayed", address, status, _clean(said))
    words = said if re.search("[a-z]{4}", said) else text  # some hosts explain it only to people
    return Returned(_kind(status, words), address, status, _clean(said or text))


def _of_text(message: Message, headers: Headers, text: str) -> Iterator[Returned]:
    """What is written for people. No failure in it, or a person's name on it: somebody's machine answers."""
    if _is_persons_machine(headers):
        yield Returned("automatic", reason=_clean(headers.get("subject")))
        return
    listed = [spec for field in headers.all("x-failed-recipients") for spec in field.split(",")]
    found = [address.decode("ascii", "replace") for address in scan_message(_from_somebody(message, headers))]
    sender = first_addr_spec(headers.get("to"))  # of what came back: never the mailbox that failed
    addresses = [spec for spec in map(first_addr_spec, [*listed, *sorted(found)]) if spec not in ("", sender)]
    fails = bool(_FAILURE.search(headers.get("subject")) or _FAILURE.search(text[:2_000]))
    if not (addresses or fails):
        yield Returned("automatic", reason=_clean(headers.get("subject")))
        return
    if not addresses:
        addresses = [spec for spec in _named(text) if spec.lower() != sender][:1]
    status = _code(text)
    kind: Kind = "delayed" if DELAYED.search(text[:2_000]) else _kind(status, text)
    for address in dict.fromkeys(addresses or [""]):
        yield Returned(kind, address, status, _clean(text[-500:]))


def _from_somebody(message: Message, headers: Headers) -> Message:
    """The library raises where From names nobody, or is not ASCII."""
    del message["from"]
    message["From"] = first_addr_spec(headers.get("from")) or "nobody@invalid"
    return message


def _is_persons_machine(headers: Headers) -> bool:
    """RFC 3834 3.1.1: who is away answers in her own name, in whatever words ("my mailbox at work is no longer read");
    what a host says comes from the host."""
    said = headers.get("auto-submitted").partition(";")[0].strip().lower()
    name = first_addr_spec(headers.get("from")).partition("@")[0]
    return said in ("auto-replied", "auto-generated") and bool(name) and not _HOSTS.search(name)


def _kind(status: str, words: str) -> Kind:
    if _POLICY_CODES.fullmatch(status) or POLICY.search(words):
        return "policy"
    if status.endswith(".2.2") or FULL.search(words):
        return "weak"
    if status in _DEAD_CODES or DEAD.search(words):
        return "dead"
    return "weak"


def _named(text: str) -> list[str]:
    """Addresses in angle brackets, before anything else; then any."""
    angle = re.findall(r"<([^<>\s@]{1,64}@[^<>\s@]{1,255})>", text)
    loose = re.findall(r"(?<![\w.+-])([\w.+-]{1,64}@[\w.-]{1,255}\w)", text)
    return [spec for spec in (angle or loose) if not spec.lower().startswith(("postmaster@", "mailer-daemon@"))]


def _mailbox(value: str) -> str:
    """``rfc822; kijitora@example.jp`` (RFC 3464 2.3.1)."""
    kind, _, address = value.rpartition(";")
    return first_addr_spec(address) if kind.strip().lower() in ("rfc822", "utf-8", "") else ""


def _field(block: Message, name: str) -> str:
    return " ".join(str(block[name] or "").split())[:2_000]


def _code(text: str) -> str:
    match = _STATUS.search(text)
    return match[0] if match else ""


def _clean(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line[:REASON_CHARACTERS_MAX]

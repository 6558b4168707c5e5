"""Delivery status notifications (RFC 3464), from values.

Law: pure. A notification goes to the return path, from the null sender, and never about a null sender (RFC 5321 6.1);
nothing that a peer or a sender wrote can start a field or a part of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Literal

from mail.headers import Headers, header_line
from spool.letter import from_xtext
from spool.reply_reader import legible

Action = Literal["failed", "delivered", "relayed"]

TOLD_MAX = 1_000  # recipients told of in one notification; 500 KB of text at the very most

_SUBJECT = {"failed": "Undelivered mail", "delivered": "Delivered mail", "relayed": "Relayed mail"}
_WORDS = {
    "failed": "This mail could not be delivered, and will not be tried again. What the last host said is below each"
    " address.",
    "delivered": "This mail was delivered, as you asked to be told.",
    "relayed": "This mail was handed to a host that sends no notices of delivery; it will not tell you more.",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one recipient. `reply`: ``550 5.1.1 no such user``; `host`: who said so, or ""."""

    recipient: str
    reply: str
    host: str = ""
    orcpt: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """All that a notification is made of. `original` is the message, or its header where it is not `whole`."""

    action: Action
    to: str
    recipients: Sequence[Told]
    original: bytes
    whole: bool
    envid: str
    accepted_at: float
    now: float
    reporting_mta: str
    daemon: str


def wants_failure(notify: str) -> bool:
    """RFC 3461 4.1: no word means FAILURE (and DELAY)."""
    return not notify or "FAILURE" in notify.upper().split(",")


def wants_success(notify: str) -> bool:
    return "SUCCESS" in notify.upper().split(",")


def report(notice: Notice) -> bytes:
    """Write the notification: a multipart/report of what happened, in words, in fields, and the original."""
    boundary = _boundary(notice)
    subject = Headers.parse(notice.original).get("subject")[:200]
    head = b"".join(
        (
            header_line("From", f"Mail Delivery System <{notice.daemon}>"),
            header_line("To", notice.to),
            header_line("Subject", _one_line(f"{_SUBJECT[notice.action]}: {subject}".rstrip(": "))),
            header_line("Date", formatdate(notice.now)),
            header_line("Message-ID", f"<{boundary}@{notice.reporting_mta}>"),
            header_line("Auto-Submitted", "auto-replied"),  # RFC 3834 5: so that no responder answers
            header_line("MIME-Version", "1.0"),
            header_line("Content-Type", f'multipart/report; report-type=delivery-status; boundary="{boundary}"'),
        )
    )
    utf8 = not all(told.recipient.isascii() and told.orcpt.isascii() for told in notice.recipients)
    status = b"message/global-delivery-status" if utf8 else b"message/delivery-status"  # RFC 6533 3
    parts = (
        b"Content-Type: text/plain; charset=utf-8\r\n" + _eightbit(_words(notice)) + b"\r\n" + _words(notice),
        b"Content-Type: " + status + b"\r\n" + _eightbit(_fields(notice)) + b"\r\n" + _fields(notice),
        _original(notice),
    )
    line = b"\r\n--" + boundary.encode()
    head += _eightbit(b"".join(parts))  # RFC 2045 6.4: the whole admits what a part needs
    return head + line + b"\r\n" + (line + b"\r\n").join(parts) + line + b"--\r\n"


def _words(notice: Notice) -> bytes:
    lines = [f"This is the mail system at {notice.reporting_mta}.", "", _WORDS[notice.action], ""]
    for told in notice.recipients[:TOLD_MAX]:
        lines += [f"<{_one_line(told.recipient)}>", f"    {_one_line(told.reply)}", ""]
    if len(notice.recipients) > TOLD_MAX:
        lines += [f"... and {len(notice.recipients) - TOLD_MAX} more.", ""]
    return "\r\n".join(lines).encode()


def _fields(notice: Notice) -> bytes:
    message = [f"Reporting-MTA: dns; {notice.reporting_mta}"]
    if notice.envid:  # RFC 3464 2.2.1: the client's own (ENVID), or what we know the mail by
        message.insert(0, f"Original-Envelope-Id: {_one_line(notice.envid)}")
    message.append(f"Arrival-Date: {formatdate(notice.accepted_at)}")
    blocks = ["\r\n".join(message)]
    blocks += ["\r\n".join(_recipient_fields(notice.action, told)) for told in notice.recipients[:TOLD_MAX]]
    return "\r\n\r\n".join(blocks).encode() + b"\r\n"


def _recipient_fields(action: Action, told: Told) -> list[str]:
    kind = "rfc822" if told.recipient.isascii() else "utf-8"
    fields = [f"Original-Recipient: {_one_line(_original_recipient(told.orcpt))}"] if told.orcpt else []
    fields += [
        f"Final-Recipient: {kind}; {_one_line(told.recipient)}",
        f"Action: {action}",
        f"Status: {status_of(told.reply, action)}",
    ]
    if told.host:
        fields.append(f"Remote-MTA: dns; {_one_line(told.host)}")
    return [*fields, f"Diagnostic-Code: smtp; {_ascii(told.reply)}"]


def _original_recipient(orcpt: str) -> str:
    """As the sender meant it: what came as xtext (RFC 3461 4.2) is said in plain, ``+`` of an address above all."""
    kind, _, address = orcpt.partition(";")
    decoded = from_xtext(address) if kind.lower() != "utf-8" else address  # RFC 6533 3: that is no xtext
    return f"{kind};{decoded if decoded.isascii() else address}"


def status_of(reply: str, action: Action) -> str:
    """Return the enhanced status code of a reply (RFC 3463), or the plain one that its class allows.

    What is reported as failed is permanent now, whatever the last reply was: 4.x.y becomes 5.x.y's general form.
    """
    first = "5" if action == "failed" else "2"
    for word in reply.split()[:3]:
        digits = word.split(".")
        if len(digits) == 3 and all(part.isdecimal() and len(part) <= 3 for part in digits):
            if digits[0] == first:
                return word
            return "5.4.7" if action == "failed" and digits[0] == "4" else f"{first}.0.0"  # 5.4.7: time expired
    return f"{first}.0.0"


def _original(notice: Notice) -> bytes:
    kind = b"message/rfc822" if notice.whole else b"text/rfc822-headers"
    return b"Content-Type: " + kind + b"\r\n" + _eightbit(notice.original) + b"\r\n" + notice.original


def _eightbit(part: bytes) -> bytes:
    return b"" if part.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"


def _boundary(notice: Notice) -> str:
    """A boundary that the original cannot contain: it hashes what no sender knows before (the time, our name)."""
    seed = f"{notice.now!r}{notice.reporting_mta}{notice.to}{notice.recipients[0].recipient}".encode()
    return "report-" + hashlib.sha256(seed + notice.original).hexdigest()[:40]


def _one_line(text: str) -> str:
    return legible(text.encode("utf-8", "replace"))


def _ascii(text: str) -> str:
    return _one_line(text).encode("ascii", "replace").decode()

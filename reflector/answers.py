"""Mails that a reflector writes itself: built purely, the same for a repeat, never answered by a well-behaved machine.

Law: an answer leaves with the null sender, so that it cannot bounce into a loop (RFC 3834 3.3), and says that it is
automatic. Its Message-ID follows from (mail, purpose); its Date from the arrival's clock.
"""

from __future__ import annotations

import hashlib
import re
from email.utils import formataddr, formatdate

from mail.control import Control, add_controls
from mail.envelope import Outgoing, Recipient
from mail.headers import header_line
from reflector.letter import Letter, is_control
from reflector.list_headers import list_fields
from reflector.subscriptions import Subscriber
from reflector.texts import Text, Voice

_MESSAGE_ID = re.compile(r"<[!-;=?-~]{3,250}>\Z")


def voice(letter: Letter) -> Voice:
    return Voice(letter.house.names, letter.source)


def answer(letter: Letter, who: Subscriber, text: Text) -> Outgoing:
    """Answer a mail, in its thread."""
    return Outgoing("", (Recipient(_mailbox(letter, who)),), _build(letter, who.address, text, _thread(letter)))


def question(letter: Letter, who: Subscriber, text: Text, token: str) -> Outgoing:
    """Ask for a confirmation. It quotes nothing of the request, which may be a stranger's work."""
    reply_to = [("Reply-To", letter.house.names.reflector(letter.source.name, f"confirm.{token}"))]
    return Outgoing("", (Recipient(_mailbox(letter, who)),), _build(letter, who.address, text, reply_to))


def probe(letter: Letter, who: Subscriber, text: Text, return_path: str) -> Outgoing:
    """Ask a mailbox whether it is there, by a mail that may come back."""
    return Outgoing(return_path, (Recipient(_mailbox(letter, who)),), _build(letter, who.address, text, []))


def control_mail(letter: Letter, entities: list[str], text: Text, *controls: Control) -> Outgoing:
    """Write to timelines what they are to do; the text is for whoever looks into a queue."""
    names, source = letter.house.names, letter.source.name
    recipients = tuple(Recipient(names.timeline(entity)) for entity in entities)
    to = names.person(entities[0]) if len(entities) == 1 else names.reflector(source)
    purposed = Text(f"{text.purpose}-control", text.subject, text.body)
    content = add_controls(_build(letter, to, purposed, []), *controls)
    return Outgoing(names.reflector_inside(source, "bounce"), recipients, content, signed=True)


def _mailbox(letter: Letter, who: Subscriber) -> str:
    return letter.house.names.timeline(who.entity) if who.entity else who.address


def _build(letter: Letter, to: str, text: Text, extra: list[tuple[str, str]]) -> bytes:
    names, source = letter.house.names, letter.source
    fields = [
        ("From", formataddr((source.title or source.name, names.reflector(source.name, "help")))),
        ("Subject", text.subject),
        ("Date", formatdate(letter.arrival.now)),
        ("Message-ID", _message_id(letter, to, text.purpose)),
        *extra,
        ("Auto-Submitted", "auto-replied"),  # RFC 3834 3.1.7
        ("Precedence", "bulk"),  # older responders know only this
        ("X-Auto-Response-Suppress", "All"),  # Exchange knows only this
        *list_fields(names, source),
        ("MIME-Version", "1.0"),
    ]
    lines = b"".join(header_line(name, value) for name, value in fields)
    return lines + _address_line("To", to) + _text_part(text.body)


def _address_line(name: str, address: str) -> bytes:
    """RFC 6532: an address with letters beyond ASCII stands as UTF-8, never as an encoded-word."""
    return header_line(name, address) if address.isascii() else f"{name}: {address}\r\n".encode()


def _text_part(body: str) -> bytes:
    charset, encoding = ("us-ascii", "7bit") if body.isascii() else ("utf-8", "8bit")
    head = f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return (head + body.replace("\n", "\r\n")).encode()


def _message_id(letter: Letter, to: str, purpose: str) -> str:
    seed = f"{letter.envid} {letter.source.name} {to} {purpose}".encode()
    digest = hashlib.blake2b(seed, digest_size=16).hexdigest()
    return f"<{digest}.{purpose}@reflectors.{letter.house.names.domain}>"


def _thread(letter: Letter) -> list[tuple[str, str]]:
    """RFC 5322 3.6.4, of a Message-ID that is one: what is echoed is checked."""
    message_id = letter.arrival.headers.get("message-id") if not is_control(letter.arrival) else ""
    return [("In-Reply-To", message_id), ("References", message_id)] if _MESSAGE_ID.match(message_id) else []

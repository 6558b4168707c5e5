"""A message from a mailbox elsewhere becomes a post, and a look that failed becomes words.

Law: pure. A message goes on as its author wrote it, without the addresses that it came through; what cannot go on is
told of in its place, so that nothing is missing without a word.
"""

from __future__ import annotations

import hashlib

from directory.names import FabricNames
from ingest.header_text import line_of
from ingest.issue import came_back, passed_on
from ingest.mailboxes.rows import Mailbox
from ingest.post import Voice, notice
from mail.envelope import Outgoing, Recipient
from mail.headers import HEADER_BLOCK_OCTETS_MAX, Headers, split_message
from mail.words import subject_of

NO_TEXT = b"(This message has no text.)\r\n"
LEFT_OUT = """\
A message in {folder} is not shown here: {reason}. It stays where it is.

    From: {writer}
    Subject: {subject}
"""
SILENT = """\
For {days} days {folder} could not be read. The last try: {reason}.

It is tried once a week from now on; should it come back, you will hear of it here.
"""
REFUSED = """\
The server of {folder} does not take the password any more: {reason}.

The operator of this host gives a new one with: heliograph mailbox password {source}
"""
BACK = """\
{folder} can be read again, and is looked into as before.
"""


def key_of(content: bytes) -> bytes:
    """What a message is known by: its Message-ID and all its octets. A Message-ID alone is anybody's to choose."""
    said = Headers.of(content).get("message-id")
    return hashlib.sha256(said.encode("utf-8", "replace") + b"\0" + hashlib.sha256(content).digest()).digest()[:20]


def clean(content: bytes) -> bytes:
    """Write a message as SMTP carries it: CRLF line ends, no NUL (RFC 5321 2.3.8, RFC 5322 2.3)."""
    unix = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\0", b"")
    return unix.replace(b"\n", b"\r\n")


def as_post(content: bytes, names: FabricNames, mailbox: Mailbox, now: float) -> Outgoing | None:
    """Make a post of a message; None for what is a post of this very source."""
    content = clean(content)
    head, text = split_message(content)
    headers = Headers.parse(head)
    if came_back(headers, names, mailbox.source):
        return None
    if len(head) > HEADER_BLOCK_OCTETS_MAX:
        return instead(headers, "its header is too long", names, mailbox, now)
    if not text.strip():  # its Subject could be a command of the owner's
        content = (head if head.endswith(b"\r\n\r\n") else head.rstrip(b"\r\n") + b"\r\n\r\n") + NO_TEXT
    address = names.reflector(mailbox.source)
    return _to_reflector(names, mailbox, passed_on(content, headers, address, mailbox.owner))


def instead(headers: Headers, reason: str, names: FabricNames, mailbox: Mailbox, now: float) -> Outgoing:
    """Tell of a message that cannot go on."""
    subject = line_of(subject_of(headers), 150) or "no subject"
    writer = line_of(headers.get("from"), 150) or "unknown"
    text = LEFT_OUT.format(folder=mailbox.place.folder, reason=reason, writer=writer, subject=subject)
    return _notice(names, mailbox, f"Not shown: {subject}", text, now)


def stopped(names: FabricNames, mailbox: Mailbox, standing: str, reason: str, now: float) -> Outgoing:
    """Tell followers that nothing comes any more."""
    days = int((now - mailbox.failing_since) // 86_400) if mailbox.failing_since else 0
    words = REFUSED if standing == "refused" else SILENT
    text = words.format(folder=mailbox.place.folder, days=days, reason=reason, source=mailbox.source)
    return _notice(names, mailbox, f"{mailbox.title}: this mailbox cannot be read any more", text, now)


def back_again(names: FabricNames, mailbox: Mailbox, now: float) -> Outgoing:
    text = BACK.format(folder=mailbox.place.folder)
    return _notice(names, mailbox, f"{mailbox.title}: this mailbox is back", text, now)


def _notice(names: FabricNames, mailbox: Mailbox, subject: str, text: str, now: float) -> Outgoing:
    voice = Voice(mailbox.source, mailbox.title, names, owner=mailbox.owner)
    return _to_reflector(names, mailbox, notice(voice, subject, text, now))


def _to_reflector(names: FabricNames, mailbox: Mailbox, content: bytes) -> Outgoing:
    return Outgoing(names.follow(), (Recipient(names.reflector_inside(mailbox.source)),), content, signed=True)

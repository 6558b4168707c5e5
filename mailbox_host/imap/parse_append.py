"""The arguments of APPEND (RFC 3501 6.3.11; MULTIAPPEND RFC 3502, BINARY RFC 3516, UTF8=ACCEPT RFC 6855).

Law: what is brought comes out as it came; whether it can be kept so is for who files it.
"""

from __future__ import annotations

import re

from mailbox_host.imap.commands import Append, Arguments, NewMessage
from mailbox_host.imap.syntax import BadSyntax, Cursor

_UTF8 = re.compile(rb"(?i)UTF8 \((?=~)")


def append_arguments(cursor: Cursor) -> Arguments:
    cursor.space()
    mailbox = cursor.mailbox()
    messages = []
    while cursor.skip_text(b" "):
        messages.append(_new_message(cursor))
    if not messages:
        raise BadSyntax("expected a message")
    return Append(mailbox, tuple(messages))


def _new_message(cursor: Cursor) -> NewMessage:
    flags: tuple[str, ...] = ()
    arrival: int | None = None
    if cursor.peek() == b"(":
        flags = cursor.flag_list()
        cursor.space()
    if cursor.peek() == b'"':
        arrival = cursor.date_time()
        cursor.space()
    utf8 = cursor.skip(_UTF8) is not None
    binary = cursor.skip_text(b"~")
    message = NewMessage(flags, arrival, cursor.literal(), binary, utf8)
    if utf8:
        cursor.expect(b")")
    return message

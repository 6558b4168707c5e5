"""The arguments of SELECT and EXAMINE (RFC 3501 6.3.1; CONDSTORE and QRESYNC RFC 7162).

Law: what cannot be a mailbox's name opens none, and closes the one before all the same.
"""

from __future__ import annotations

import re

from mailbox_host.imap import commands as ask
from mailbox_host.imap.syntax import BadMailbox, BadSyntax, Cursor

_LIST_FOLLOWS = re.compile(rb" (?=\()")
_SET_FOLLOWS = re.compile(rb" (?=[0-9])")


def open_arguments(cursor: Cursor) -> ask.Arguments:
    cursor.space()
    try:
        mailbox = cursor.mailbox()
    except BadMailbox:  # there is no such mailbox, and the one before is closed all the same (RFC 3501 6.3.1)
        mailbox = ""
    asked = dict(cursor.parenthesized(lambda: _open_parameter(cursor), 2)) if cursor.skip(_LIST_FOLLOWS) else {}
    return ask.Open(mailbox, b"CONDSTORE" in asked, asked.get(b"QRESYNC"))


def _open_parameter(cursor: Cursor) -> tuple[bytes, ask.Resync | None]:
    """RFC 4466 2.1: several may come, in any order."""
    word = cursor.word()
    if word == b"CONDSTORE":
        return word, None
    if word != b"QRESYNC":
        raise BadSyntax("unknown parameter")
    cursor.space()
    return word, _resync(cursor)


def _resync(cursor: Cursor) -> ask.Resync:
    """``(67890007 20050715194045000 41,43:211 (1,5 41,60))``: the pairs at the end would only save us work."""
    cursor.expect(b"(")
    uidvalidity = cursor.number()
    cursor.space()
    modseq = cursor.number()
    known = None
    if cursor.skip(_SET_FOLLOWS):
        known = cursor.sequence_set()
    if cursor.skip_text(b" ("):
        cursor.sequence_set()
        cursor.space()
        cursor.sequence_set()
        cursor.expect(b")")
    cursor.expect(b")")
    return ask.Resync(uidvalidity, modseq, known)

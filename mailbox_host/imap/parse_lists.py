"""The arguments of LIST, LSUB and STATUS (RFC 3501 6.3.8-10; LIST-EXTENDED RFC 5258, 5819, 6154).

Law: only options that the session carries out are taken; an unknown one is BAD, as RFC 5258 3 asks.
"""

from __future__ import annotations

import re

from mailbox_host.imap.commands import Arguments, List, Status
from mailbox_host.imap.syntax import BadSyntax, Cursor

PATTERNS_MAX = 50
PATTERNS_LENGTH_MAX = 4_000  # of several in all: each character is a place that every name is tried against

_SELECT = frozenset({b"SUBSCRIBED", b"REMOTE", b"RECURSIVEMATCH", b"SPECIAL-USE"})
_RETURN = frozenset({b"SUBSCRIBED", b"CHILDREN", b"SPECIAL-USE", b"STATUS"})
_STATUS = frozenset(
    b"MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN SIZE DELETED DELETED-STORAGE HIGHESTMODSEQ MAILBOXID "
    b"APPENDLIMIT".split()
)
_STATUS_ITEMS = re.compile(rb"\([A-Za-z\-]+(?: [A-Za-z\-]+)*\)")  # read in one go: clients ask folder after folder


def list_arguments(cursor: Cursor) -> Arguments:
    cursor.space()
    extended = cursor.peek() == b"("
    select = frozenset(cursor.parenthesized(lambda: _option(cursor, _SELECT))) if extended else frozenset()
    if extended:
        cursor.space()
    if select & {b"RECURSIVEMATCH"} and not select - {b"RECURSIVEMATCH", b"REMOTE"}:
        raise BadSyntax("RECURSIVEMATCH needs another option")  # RFC 5258 3.1
    reference = cursor.mailbox()
    cursor.space()
    several = cursor.peek() == b"("
    patterns = cursor.parenthesized(cursor.list_mailbox, PATTERNS_MAX) if several else (cursor.list_mailbox(),)
    if several and sum(map(len, patterns)) > PATTERNS_LENGTH_MAX:
        raise BadSyntax("patterns too long")
    returns, status = _returns(cursor)
    return List(reference, patterns, select, returns, status, extended or several or bool(returns))


def lsub_arguments(cursor: Cursor) -> Arguments:
    cursor.space()
    reference = cursor.mailbox()
    cursor.space()
    return List(reference, (cursor.list_mailbox(),))


def status_arguments(cursor: Cursor) -> Arguments:
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    return Status(mailbox, _status_items(cursor))


def _status_items(cursor: Cursor) -> tuple[bytes, ...]:
    items = cursor.take(_STATUS_ITEMS, "status items")[1:-1].upper().split(b" ")
    if not _STATUS.issuperset(items):
        raise BadSyntax("unknown option")
    return tuple(dict.fromkeys(items))


def _option(cursor: Cursor, known: frozenset[bytes]) -> bytes:
    word = cursor.word()
    if word not in known:
        raise BadSyntax("unknown option")
    return word


def _returns(cursor: Cursor) -> tuple[frozenset[bytes], tuple[bytes, ...]]:
    if not cursor.skip_text(b" "):
        return frozenset(), ()
    if cursor.word() != b"RETURN":
        raise BadSyntax("expected RETURN")
    cursor.space()
    status: tuple[bytes, ...] = ()

    def option() -> bytes:
        nonlocal status
        word = _option(cursor, _RETURN)
        if word == b"STATUS":  # RFC 5819
            cursor.space()
            status = _status_items(cursor)
        return word

    return frozenset(cursor.parenthesized(option)), status

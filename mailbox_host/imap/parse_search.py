"""The arguments of SEARCH (RFC 3501 6.4.4, ESEARCH RFC 4731).

Law: strings come out as decoded text, folded for comparison, so that whoever searches needs no charset.
"""

from __future__ import annotations

import re

from mailbox_host.imap.commands import And, Arguments, Key, Not, Or, Search, SearchKey, Sort, Thread, Value
from mailbox_host.imap.settings import NESTING_MAX, SEARCH_KEYS_MAX
from mailbox_host.imap.syntax import BadSyntax, Cursor

CHARSETS = {b"US-ASCII": "ascii", b"ASCII": "ascii", b"UTF-8": "utf-8", b"UTF8": "utf-8"}

_RETURN = re.compile(rb"(?i)RETURN ")
_CHARSET = re.compile(rb"(?i)CHARSET ")
_MODSEQ_ENTRY = re.compile(rb'(?i)"/flags/[^"]{1,200}" (?:priv|shared|all) ')
_SET_START = re.compile(rb"(?=[0-9*$])")

_BARE = frozenset(
    "ALL ANSWERED DELETED DRAFT FLAGGED NEW OLD RECENT SEEN UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN".split()
)
_TEXT = frozenset("BCC BODY CC FROM SUBJECT TEXT TO".split())
_DATES = frozenset("BEFORE ON SINCE SENTBEFORE SENTON SENTSINCE".split())
_NUMBERS = frozenset("LARGER SMALLER OLDER YOUNGER".split())
SORT_KEYS_MAX = 20
_SORTS = frozenset({b"ARRIVAL", b"CC", b"DATE", b"FROM", b"SIZE", b"SUBJECT", b"TO"})
_RETURNS = frozenset({b"MIN", b"MAX", b"ALL", b"COUNT", b"SAVE"})


class BadCharset(ValueError):
    """A search in a charset that we do not read. `saving`: it would have saved its result."""

    def __init__(self, saving: bool) -> None:
        super().__init__("Charset not supported")
        self.saving = saving


def search_arguments(cursor: Cursor) -> Arguments:
    cursor.space()
    returns = None
    if cursor.skip(_RETURN):
        returns = frozenset(cursor.parenthesized(lambda: _return(cursor))) or frozenset({b"ALL"})
        cursor.space()
    charset = "utf-8"
    named = cursor.skip(_CHARSET) is not None
    if named:
        charset = _charset(cursor.astring(), saving=b"SAVE" in (returns or ()))
        cursor.space()
    return Search(_keys(cursor, charset), returns, named)


def _keys(cursor: Cursor, charset: str) -> SearchKey:
    keys = _Keys(cursor, charset)
    found = [keys.key(0)]
    while cursor.skip_text(b" "):
        found.append(keys.key(0))
    return found[0] if len(found) == 1 else And(tuple(found))


def sort_arguments(cursor: Cursor) -> Arguments:
    cursor.space()
    order = cursor.parenthesized(lambda: _sort_key(cursor), SORT_KEYS_MAX)
    if not order:
        raise BadSyntax("expected a sort key")
    cursor.space()
    charset = _charset(cursor.astring())
    cursor.space()
    return Sort(order, _keys(cursor, charset))


def thread_arguments(cursor: Cursor) -> Arguments:
    cursor.space()
    algorithm = cursor.word()
    if algorithm not in (b"ORDEREDSUBJECT", b"REFERENCES"):
        raise BadSyntax("unknown threading algorithm")
    cursor.space()
    charset = _charset(cursor.astring())
    cursor.space()
    return Thread(algorithm.decode("ascii"), _keys(cursor, charset))


def _sort_key(cursor: Cursor) -> tuple[str, bool]:
    word = cursor.word()
    reverse = word == b"REVERSE"
    if reverse:
        cursor.space()
        word = cursor.word()
    if word not in _SORTS:
        raise BadSyntax("unknown sort key")
    return word.decode("ascii"), reverse


def _return(cursor: Cursor) -> bytes:
    word = cursor.word()
    if word not in _RETURNS:
        raise BadSyntax("unknown search return option")
    return word


def _charset(name: bytes, saving: bool = False) -> str:
    charset = CHARSETS.get(name.upper())
    if charset is None:
        raise BadCharset(saving)
    return charset


class _Keys:
    """Reads search keys, counting them."""

    def __init__(self, cursor: Cursor, charset: str) -> None:
        self._cursor = cursor
        self._charset = charset
        self._count = 0

    def key(self, depth: int) -> SearchKey:
        cursor = self._cursor
        self._count += 1
        if self._count > SEARCH_KEYS_MAX or depth > NESTING_MAX:
            raise BadSyntax("search too deep or too long")
        if cursor.peek() == b"(":
            return And(cursor.parenthesized(lambda: self.key(depth + 1)) or self._empty())
        if cursor.skip(_SET_START):
            return Key("SEQUENCE", cursor.sequence_set())
        return self._named(cursor.word().decode("ascii"), depth)

    def _empty(self) -> tuple[SearchKey, ...]:
        raise BadSyntax("expected a search key")

    def _named(self, name: str, depth: int) -> SearchKey:
        if name in _BARE:
            return Key(name)
        self._cursor.space()
        if name == "NOT":
            return Not(self.key(depth + 1))
        if name == "OR":
            left = self.key(depth + 1)
            self._cursor.space()
            return Or(left, self.key(depth + 1))
        return Key(name, self._value(name))

    def _value(self, name: str) -> Value:
        cursor = self._cursor
        if name in _TEXT:
            return self._text()
        if name in _DATES:
            return cursor.date()
        if name == "MODSEQ":  # RFC 7162 3.1.5: an entry's name and kind may come before; we keep one modseq for all
            cursor.skip(_MODSEQ_ENTRY)
        if name in _NUMBERS or name == "MODSEQ":
            return cursor.number()
        if name == "UID":
            return cursor.sequence_set()
        if name in ("KEYWORD", "UNKEYWORD"):
            return cursor.flag().lower()
        if name in ("EMAILID", "THREADID"):
            return cursor.atom().decode("ascii")
        if name == "HEADER":
            field = cursor.astring().decode("latin-1").lower()
            cursor.space()
            return field, self._text()
        raise BadSyntax("unknown search key")

    def _text(self) -> str:
        try:
            return self._cursor.astring().decode(self._charset).casefold()
        except UnicodeDecodeError as error:
            raise BadSyntax("the string is not in its charset") from error

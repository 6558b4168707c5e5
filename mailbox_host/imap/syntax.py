"""The words of IMAP (RFC 3501 9), read off a frame one by one.

Law: every method takes what it names or raises BadSyntax, in time linear in what it takes; nothing looks back.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Callable
from typing import TypeVar

from mail import utf7
from mailbox_host.folder_names import normal
from mailbox_host.imap.framing import Frame
from mailbox_host.imap.sequence import NUMBER_MAX, SequenceSet
from mailbox_host.imap.settings import FLAG_OCTETS_MAX, KEYWORDS_MAX, LITERALS_MAX, SEQUENCE_RANGES_MAX

T = TypeVar("T")

_TAG = re.compile(rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]{1,100}")  # ASTRING-CHAR without "+"
_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_ASTRING = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
_LIST_ATOM = re.compile(rb"[!#$%&'*+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\0]|\\["\\])*)"')
_ESCAPE = re.compile(rb'\\(["\\])')
_NUMBER = re.compile(rb"[0-9]{1,20}")
_SET = re.compile(rb"[0-9:,*]+|\$")  # RFC 5182: the saved result
_FLAG = re.compile(rb"\\?[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_WORD = re.compile(rb"[A-Za-z0-9.\-=]+")
_DATE = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1')
_DATE_TIME = re.compile(
    rb'"([ 0-9][0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"'
)
_FIRST_SECOND = timegm((1, 1, 1, 0, 0, 0))
_LAST_SECOND = timegm((9999, 12, 31, 23, 59, 59))
MONTHS = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")


class BadSyntax(ValueError):
    """The command is not IMAP; the message says where."""


class BadMailbox(BadSyntax):
    """It can be read, but no mailbox is called that."""


class Cursor:
    """A place in a frame."""

    def __init__(self, frame: Frame, utf8: bool = False) -> None:
        self._utf8 = utf8  # how mailbox names are written
        self._texts = frame.texts
        self._literals = frame.literals
        self._index = 0
        self._at = 0

    def skip(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Step over a match here, if there is one."""
        match = pattern.match(self._texts[self._index], self._at)
        if match:
            self._at = match.end()
        return match

    def take(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        match = self.skip(pattern)
        if match is None:
            raise BadSyntax(f"expected {what}")
        return match[0]

    def skip_text(self, wanted: bytes) -> bool:
        found = self._texts[self._index].startswith(wanted, self._at)
        if found:
            self._at += len(wanted)
        return found

    def expect(self, wanted: bytes) -> None:
        if not self.skip_text(wanted):
            raise BadSyntax(f"expected {wanted.decode()!r}" if wanted != b" " else "expected another argument")

    def space(self) -> None:
        self.expect(b" ")

    def peek(self) -> bytes:
        """Return the next octet, or b"" at the end of the text (a literal may follow)."""
        return self._texts[self._index][self._at : self._at + 1]

    def end(self) -> None:
        """Insist on the end of the command. A blank before it is forgiven, as everyone does."""
        self.skip_text(b" ")
        if self._at < len(self._texts[self._index]) or self._index < len(self._literals):
            raise BadSyntax("unexpected text at the end")

    def tag(self) -> bytes:
        return self.take(_TAG, "a tag")

    def word(self) -> bytes:
        """A keyword of the protocol, in capitals."""
        return self.take(_WORD, "a word").upper()

    def atom(self) -> bytes:
        return self.take(_ATOM, "an atom")

    def number(self) -> int:
        value = int(self.take(_NUMBER, "a number"))
        if value >= 1 << 63:  # number64, RFC 9051 9
            raise BadSyntax("number too large")
        return value

    def string(self) -> bytes:
        """A quoted string or a literal."""
        match = self.skip(_QUOTED)
        if match:
            return _ESCAPE.sub(rb"\1", match[1]) if b"\\" in match[1] else match[1]
        return self.literal()

    def literal(self) -> bytes:
        if self._index >= len(self._literals) or self._at < len(self._texts[self._index]):
            raise BadSyntax("expected a string")
        value = self._literals[self._index]
        self._index += 1
        self._at = 0
        return value

    def astring(self) -> bytes:
        match = self.skip(_ASTRING)
        return match[0] if match else self.string()

    def nstring(self) -> bytes | None:
        match = self.skip(re.compile(rb"(?i)NIL"))
        return None if match else self.string()

    def mailbox(self) -> str:
        return _mailbox(self.astring(), self._utf8)

    def list_mailbox(self) -> str:
        """A mailbox name with wildcards."""
        match = self.skip(_LIST_ATOM)
        text = match[0] if match else self.string()
        try:
            return normal(_mailbox(text, self._utf8))
        except BadMailbox:  # matches nothing
            return text.decode("latin-1")

    def sequence_set(self) -> SequenceSet:
        found = SequenceSet.parse(self.take(_SET, "a sequence set"), SEQUENCE_RANGES_MAX)
        if found is None:
            raise BadSyntax("bad sequence set")
        return found

    def flag(self) -> str:
        flag = self.take(_FLAG, "a flag")
        if len(flag) > FLAG_OCTETS_MAX:
            raise BadSyntax("keyword too long")
        return flag.decode("ascii")

    def flag_list(self) -> tuple[str, ...]:
        return self.parenthesized(self.flag, KEYWORDS_MAX)

    def parenthesized(self, item: Callable[[], T], count_max: int = LITERALS_MAX) -> tuple[T, ...]:
        """Read ``(item item ...)``, which may be empty."""
        self.expect(b"(")
        found: list[T] = []
        while not self.skip_text(b")"):
            if found:
                self.space()
            if len(found) == count_max:
                raise BadSyntax("list too long")
            found.append(item())
        return tuple(found)

    def date(self) -> int:
        """A day, as seconds since 1970 at its beginning in UTC."""
        match = self.skip(_DATE)
        if match is None:
            raise BadSyntax("expected a date")
        return _day(int(match[2]), match[3], int(match[4]))

    def date_time(self) -> int:
        match = self.skip(_DATE_TIME)
        if match is None:
            raise BadSyntax("expected a date and time")
        hour, minute, second = int(match[4]), int(match[5]), int(match[6])
        if hour > 23 or minute > 59 or second > 60 or int(match[9]) > 59:
            raise BadSyntax("no such time")
        offset = (int(match[8]) * 60 + int(match[9])) * 60
        at = _day(int(match[1]), match[2], int(match[3])) + (hour * 60 + minute) * 60 + second
        at = at + offset if match[7] == b"-" else at - offset
        if not _FIRST_SECOND <= at <= _LAST_SECOND:  # in UTC it could not be written any more
            raise BadSyntax("no such time")
        return at


def _day(day: int, month: bytes, year: int) -> int:
    name = month.lower()
    if name not in MONTHS or not 1 <= day <= 31 or not 1 <= year <= 9999:
        raise BadSyntax("no such date")
    return timegm((year, MONTHS.index(name) + 1, day, 0, 0, 0))


def _mailbox(wire: bytes, utf8: bool) -> str:
    try:
        name = utf7.decode_utf8(wire) if utf8 else utf7.decode(wire)
    except utf7.BadName as error:
        raise BadMailbox(str(error)) from error
    return "INBOX" if name.upper() == "INBOX" else name  # RFC 3501 5.1


def is_number32(value: int) -> bool:
    return 0 < value <= NUMBER_MAX

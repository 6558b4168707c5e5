"""What a response of an IMAP server says.

Law: pure. What was not asked for is passed over; a number is one only if the grammar lets it be one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from ingest.header_text import line_of
from ingest.mailboxes.wire import Broken, Response

SAID_CHARACTERS_MAX = 200
CAPABILITIES_MAX = 200

_UIDVALIDITY = re.compile(rb"\A\* OK \[UIDVALIDITY ([0-9]{1,10})\]", re.IGNORECASE)
_UIDNEXT = re.compile(rb"\A\* OK \[UIDNEXT ([0-9]{1,10})\]", re.IGNORECASE)
_EXISTS = re.compile(rb"\A\* ([0-9]{1,10}) EXISTS\Z", re.IGNORECASE)
_SEARCH = re.compile(rb"\A\* SEARCH\b([0-9 ]*)\Z", re.IGNORECASE)
_FETCH = re.compile(rb"\A\* [0-9]{1,10} FETCH \(", re.IGNORECASE)
_FLAGS = re.compile(rb"FLAGS \([^()]*\)", re.IGNORECASE)  # keywords are the mailbox's owner's to choose
_UID = re.compile(rb"[( ]UID ([0-9]{1,10})\b", re.IGNORECASE)
_SIZE = re.compile(rb"[( ]RFC822\.SIZE ([0-9]{1,12})\b", re.IGNORECASE)
_DATE = re.compile(
    rb'[( ]INTERNALDATE "([ 0-9]{2})-([A-Za-z]{3})-([0-9]{4}) ([0-9:]{8}) ([+-][0-9]{4})"', re.IGNORECASE
)
_CAPABILITY = re.compile(rb"(?:\A\* |\[)CAPABILITY ([^\]]*)", re.IGNORECASE)
_BODY_QUOTED = re.compile(rb'[( ]BODY\[[^][]{0,100}\] "((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_CODE = re.compile(rb"\[([A-Z-]{1,40})", re.IGNORECASE)
_UID_MAX = 2**32 - 1


class No(Exception):
    """The server will not: `code` is RFC 5530's, "" where it gives none; the message is what it says."""

    def __init__(self, said: bytes) -> None:
        code = _CODE.match(said)
        self.code = code[1].decode().upper() if code else ""
        super().__init__(line_of(said.decode("utf-8", "replace"), SAID_CHARACTERS_MAX))


@dataclass(frozen=True, slots=True)
class Folder:
    """What EXAMINE tells. `next_uid`: 0 where the server does not say."""

    exists: int
    validity: int
    next_uid: int


def is_done(tag: bytes, response: Response) -> bool:
    """Tell whether a command is answered; raise No where it failed, Broken where the server takes its leave."""
    word, _, said = response.text.partition(b" ")
    if word == b"*" and said[:3].upper() == b"BYE":
        raise Broken(f"the server says good-bye: {line_of(said[3:].decode('utf-8', 'replace'), SAID_CHARACTERS_MAX)}")
    if word != tag:
        return False
    status, _, text = said.partition(b" ")
    if status.upper() != b"OK":
        raise No(text)
    return True


def is_news(response: Response) -> bool:
    return _EXISTS.match(response.text) is not None


def exists_of(response: Response) -> int:
    """Return how many messages there are, where the server tells of that; 0 for any other word of it."""
    return _last(_EXISTS, [response])


def folder_of(answer: list[Response]) -> Folder:
    return Folder(_last(_EXISTS, answer), _last(_UIDVALIDITY, answer), _last(_UIDNEXT, answer))


def found_by(answer: Iterable[Response]) -> list[int]:
    """Return the numbers that SEARCH names, in order."""
    found = [match[1].split() for each in answer if (match := _SEARCH.match(each.text))]
    return sorted({uid for numbers in found for uid in map(int, numbers) if 0 < uid <= _UID_MAX})


def uid_of(response: Response) -> int:
    return _number(_UID, response)


def size_of(response: Response) -> int:
    return _number(_SIZE, response)


def arrival_of(response: Response) -> float:
    """Return when a message came to its folder (RFC 3501 2.3.3), in seconds since 1970; 0 where that is not said."""
    found = next((match for text in response.texts if (match := _DATE.search(text))), None)
    if found is None:
        return 0.0
    day, month, *rest = (part.decode() for part in found.groups())
    try:
        return parsedate_to_datetime(" ".join((day.strip(), month, *rest))).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def body_of(response: Response) -> bytes | None:
    """Return the octets that a FETCH response carries, however they are written."""
    if response.literals:
        return response.literals[0]
    short = _BODY_QUOTED.search(response.text)
    return re.sub(rb"\\(.)", rb"\1", short[1]) if short else None


def capabilities_of(answer: Iterable[Response]) -> frozenset[bytes]:
    found = [match[1] for each in answer if (match := _CAPABILITY.search(each.text))]
    return frozenset(found[-1].upper().split()[:CAPABILITIES_MAX]) if found else frozenset()


def _number(pattern: re.Pattern[bytes], response: Response) -> int:
    """Return what a FETCH response says, 0 for nothing. A literal may stand between its texts."""
    if not _FETCH.match(response.text):
        return 0
    for text in response.texts:
        if match := pattern.search(_FLAGS.sub(b"", text)):
            return int(match[1])
    return 0


def _last(pattern: re.Pattern[bytes], answer: list[Response]) -> int:
    return next((int(match[1]) for each in reversed(answer) if (match := pattern.match(each.text))), 0)

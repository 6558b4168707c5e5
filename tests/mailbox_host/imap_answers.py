"""A strict reader of what an IMAP server says (RFC 3501 9, formal syntax): what it cannot read, a client could not.

Law: one response after the other, each to its last octet; anything that the grammar does not allow is a ValueError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tests.mailbox_host import imap_values

ATOM = rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+"
_LITERAL_END = re.compile(rb"\{([0-9]+)\}\r\n\Z")
_LINE = re.compile(rb"[^\r\n\0]*\r\n")
_TEXT = re.compile(rb"(?:\[(?P<code>[A-Za-z0-9\-]+)(?: [\x20-\x5c\x5e-\x7e]+)?\] )?[\x20-\x7e]+")
_STATUS = re.compile(
    rb"(?P<who>\*|[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+) (?P<word>OK|NO|BAD|BYE|PREAUTH) (?P<text>.+)"
)
_FLAG = rb"(?:\\?" + ATOM + rb"|\\\*)"
_FLAGS = rb"\((?:" + _FLAG + rb"(?: " + _FLAG + rb")*)?\)"
_NUMBERS = rb"(?: [1-9][0-9]*)*"
_SET = rb"[0-9:,]+"
_STRING = rb'"(?:[^"\\\r\n\x80-\xff]|\\["\\])*"'
_THREADS = rb"[0-9 ()]*"
_PLAIN = [
    re.compile(pattern)
    for pattern in (
        rb"CAPABILITY(?: " + ATOM + rb")+",
        rb"ENABLED(?: " + ATOM + rb")*",
        rb"FLAGS " + _FLAGS,
        rb"[0-9]+ (?:EXISTS|RECENT|EXPUNGE)",
        rb"(?:SEARCH|SORT)" + _NUMBERS + rb"(?: \(MODSEQ [0-9]+\))?",
        rb"THREAD(?: " + _THREADS + rb")?",
        rb"ESEARCH(?: \(TAG " + _STRING + rb"\))?(?: UID)?(?: (?:MIN|MAX|COUNT|MODSEQ) [0-9]+| ALL " + _SET + rb")*",
        rb"VANISHED(?: \(EARLIER\))? " + _SET,
        rb'NAMESPACE \(\("" "/"\)\) NIL NIL',
        rb"(?:LIST|LSUB) \((?:\\[A-Za-z]+(?: \\[A-Za-z]+)*)?\) \"/\" " + _STRING + rb"(?: \(.*\))?",
        rb"STATUS " + _STRING + rb" \((?:[A-Z0-9\-]+ (?:[0-9]+|\([A-Z0-9]+\)) ?)*\)",
        rb"QUOTA(?:ROOT)? .*",
        rb"ID (?:NIL|\(.*\))",
    )
]
_FETCH = re.compile(rb"([1-9][0-9]*) FETCH \(")
_ITEM = re.compile(
    rb"((?:BODY|BINARY|BINARY\.SIZE)\[[0-9.]*(?:HEADER|TEXT|MIME|HEADER\.FIELDS(?:\.NOT)? \([^()\r\n]*\))?\]"
    rb"(?:<[0-9]+>)?|[A-Z0-9.]+) "
)


@dataclass
class Answers:
    """Everything that was said, read."""

    fetched: list[dict[bytes, object]] = field(default_factory=list)  # by item; "" -> the message's number
    untagged: list[bytes] = field(default_factory=list)
    statuses: list[tuple[bytes, bytes, bytes]] = field(default_factory=list)  # who, word, text

    @property
    def last(self) -> bytes:
        return self.statuses[-1][1]


def read(octets: bytes) -> Answers:
    """Read all that a server has said; raise ValueError."""
    answers = Answers()
    at = 0
    while at < len(octets):
        line, at = _response(octets, at)
        _sort_in(answers, line.removesuffix(b"\r\n"))
    return answers


def _response(octets: bytes, start: int) -> tuple[bytes, int]:
    """Cut one response out: to the line end that no literal announces or holds."""
    at = start
    while True:
        end = octets.find(b"\r\n", at)
        if end < 0:
            raise ValueError(f"no end of line: {octets[start : start + 80]!r}")
        end += 2
        literal = _LITERAL_END.search(octets, max(at, end - 30), end)
        if literal is None:
            return octets[start:end], end
        at = end + int(literal[1])
        if at > len(octets):
            raise ValueError("literal cut short")


def _sort_in(answers: Answers, line: bytes) -> None:
    if line.startswith(b"+ "):
        return
    status = _STATUS.fullmatch(line)
    if status:
        if not _TEXT.fullmatch(status["text"]):
            raise ValueError(f"bad text: {line[:200]!r}")
        answers.statuses.append((status["who"], status["word"], status["text"]))
    elif not line.startswith(b"* "):
        raise ValueError(f"neither tagged nor untagged: {line[:200]!r}")
    elif match := _FETCH.match(line, 2):
        answers.fetched.append({b"": int(match[1]), **_items(line, match.end())})
    elif any(pattern.fullmatch(line, 2) for pattern in _PLAIN):
        answers.untagged.append(line[2:])
    else:
        raise ValueError(f"unknown response: {line[:200]!r}")


def _items(line: bytes, at: int) -> dict[bytes, object]:
    found: dict[bytes, object] = {}
    while True:
        match = _ITEM.match(line, at)
        if match is None:
            raise ValueError(f"no item: {line[at : at + 80]!r}")
        found[match[1]], at = _item_value(match[1], line, match.end())
        if line[at:] == b")":
            return found
        if line[at : at + 1] != b" ":
            raise ValueError(f"no space: {line[at : at + 80]!r}")
        at += 1


def _item_value(name: bytes, line: bytes, at: int) -> tuple[object, int]:
    if name in (b"FLAGS", b"MODSEQ", b"EMAILID", b"THREADID"):
        match = re.compile(_FLAGS + rb"|NIL").match(line, at)
        if match is None:
            raise ValueError(f"{name!r}: {line[at : at + 80]!r}")
        return match[0], match.end()
    if name.startswith((b"BODY[", b"BINARY[", b"RFC822", b"PREVIEW")) and (
        text := re.compile(rb"~?\{([0-9]+)\}\r\n").match(line, at)
    ):
        end = text.end() + int(text[1])  # a message's own octets may hold a NUL
        return line[text.end() : end], end
    return imap_values.value_at(line, at)

"""Address fields, as ENVELOPE shows them (RFC 3501 7.4.2; RFC 5322 3.4, 4.4).

Law: reading never raises and looks at each octet a bounded number of times; of a malformed list, what can be told
apart is shown. Encoded-words stay as they are: decoding is the client's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from mailbox_host.wire import NIL, listed, nstring

# A NIL host would say "group" (RFC 3501 7.4.2), so that what is missing is named, in Dovecot's words.
MISSING_MAILBOX = b"MISSING_MAILBOX"
MISSING_DOMAIN = b"MISSING_DOMAIN"

ADDRESSES_MAX = 4096  # shown of one field: "a:;" makes 40 octets of three

_TOKEN = re.compile(
    rb"(?P<space>[ \t\r\n]+)|(?P<quoted>\"(?:[^\"\\]|\\.)*+\"?)|(?P<remark>\([^()\\]*+\))|(?P<comment>\()"
    rb"|(?P<literal>\[[^\]]*+\]?)|(?P<atom>[^\x00-\x20\"(),:;<>@\[\]\\]+)|(?P<sign>,[, \t\r\n]*+|<+|\\++|.)",
    re.DOTALL,
)
_COMMENT_MARK = re.compile(rb"\\.|[()]", re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)

Token = tuple[str, bytes]  # kind and text; signs have themselves as kind


@dataclass(slots=True)
class _Reading:
    """The address that is being read."""

    words: list[Token] = field(default_factory=list)  # a phrase, or an address without angle brackets
    comment: bytes = b""
    angle: list[Token] | None = None

    @property
    def is_empty(self) -> bool:
        return self.angle is None and not any(kind != "space" for kind, _ in self.words)


def address_list(value: bytes) -> bytes:
    """Write an address field's value as ENVELOPE's list; NIL where it holds none."""
    shown = list(islice(_addresses(value), ADDRESSES_MAX))
    return b"(" + b"".join(shown) + b")" if shown else NIL


def _addresses(value: bytes) -> Iterator[bytes]:
    reading = _Reading()
    in_group = in_angle = False
    for kind, text in _tokens(value):
        if in_angle:
            in_angle = kind != ">"
            if in_angle and reading.angle is not None:
                reading.angle.append((kind, text))
        elif kind == "<":
            in_angle, reading.angle = True, []
        elif kind == "comment":
            reading.comment = text
        elif kind == ":" and not in_group and reading.angle is None:
            in_group = True
            yield _written(None, None, _phrase(reading.words), None)
            reading = _Reading()
        elif kind in ",;":
            if not reading.is_empty:
                yield _address(reading)
            reading = _Reading()
            if kind == ";" and in_group:
                in_group = False
                yield _written(None, None, None, None)
        else:
            reading.words.append((kind, text))
    if not reading.is_empty:
        yield _address(reading)
    if in_group:  # the end of the field ends the group, whatever it forgot
        yield _written(None, None, None, None)


def _tokens(value: bytes) -> Iterator[Token]:
    at = 0
    while match := _TOKEN.match(value, at):
        kind, text, at = match.lastgroup or "", match[0], match.end()
        if kind == "sign":
            kind = chr(text[0])  # a run of commas, of "<" or of backslashes says no more than one of them
        elif kind == "remark":  # a comment with none in it
            kind, text = "comment", text[1:-1].strip()
        elif kind == "comment":
            text, at = _comment(value, at)
        yield kind, text


def _comment(value: bytes, start: int) -> tuple[bytes, int]:
    """Read a comment whose parenthesis has been read, with those in it; return its text and where it ends."""
    depth = 1
    for mark in _COMMENT_MARK.finditer(value, start):
        depth += (mark[0] == b"(") - (mark[0] == b")")
        if not depth:
            return _ESCAPE.sub(rb"\1", value[start : mark.start()]).strip(), mark.end()
    return value[start:].strip(), len(value)


def _address(reading: _Reading) -> bytes:
    if reading.angle is None:  # RFC 5322 4.4, the old way: the name is in a comment
        return _written(reading.comment or None, *_split(reading.words))
    name = _phrase(reading.words) or reading.comment or None
    return _written(name, *_split(reading.angle))


def _split(tokens: list[Token]) -> tuple[bytes | None, bytes, bytes]:
    """Return (source route, mailbox, host); the last @ is the one that counts."""
    route: bytes | None = None
    kinds = [kind for kind, _ in tokens if kind not in ("space", "comment")]
    if kinds[:1] == ["@"] and ":" in kinds:  # RFC 5322 4.4: <@a,@b:user@host>
        colon = next(place for place, token in enumerate(tokens) if token[0] == ":")
        route, tokens = _text(tokens[:colon]), tokens[colon + 1 :]
    at = next((place for place in range(len(tokens) - 1, -1, -1) if tokens[place][0] == "@"), -1)
    if at < 0:
        return route, _mailbox(tokens) or MISSING_MAILBOX, MISSING_DOMAIN
    return route, _mailbox(tokens[:at]) or MISSING_MAILBOX, _text(tokens[at + 1 :]) or MISSING_DOMAIN


def _mailbox(tokens: list[Token]) -> bytes:
    """A local part, without its quotes; white space around dots is none (RFC 5322 4.4), other words stay apart."""
    shown: list[bytes] = []
    apart = False
    for kind, text in tokens:
        word = _unquoted(text) if kind == "quoted" else text
        if kind == "space":
            apart = bool(shown) and not shown[-1].endswith(b".")
        elif kind != "comment":
            shown += [b" ", word] if apart and not word.startswith(b".") else [word]
            apart = False
    return b"".join(shown)


def _text(tokens: list[Token]) -> bytes:
    return b"".join(text for kind, text in tokens if kind not in ("space", "comment"))


def _phrase(tokens: list[Token]) -> bytes:
    """A display name: white space as one blank, quotes taken off."""
    return b"".join(
        b" " if kind == "space" else _unquoted(text) if kind == "quoted" else text for kind, text in tokens
    ).strip()


def _unquoted(text: bytes) -> bytes:
    inner = text[1:-1] if len(text) > 1 and text.endswith(b'"') else text[1:]
    return _ESCAPE.sub(rb"\1", inner) if b"\\" in inner else inner


def _written(name: bytes | None, route: bytes | None, mailbox: bytes | None, host: bytes | None) -> bytes:
    return listed((nstring(name), nstring(route), nstring(mailbox), nstring(host)))

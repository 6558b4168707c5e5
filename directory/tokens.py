"""From the text of a master file (RFC 1035 5.1) to its entries, each a list of tokens.

Law: linear time. A line without quotes, parentheses, comments or escapes is split as it is; only others are looked
at closely. Escapes stay in the tokens; a quoted string is a token that begins with ``"`` (and has no closing one).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

ENTRY_LINES_MAX = 1_000  # a parenthesis that is never closed should be found where it stands, not at the file's end

_SPECIAL = re.compile(r'[;"()\\]')
# An escape is two characters here, also the first two of \123: one way to match, so no backtracking to exploit.
_TOKEN = re.compile(r'\s+|(;.*)|"((?:[^"\\]|\\.)*)"|([()])|((?:[^\s;"()\\]|\\.)+)', re.ASCII)


class BadText(ValueError):
    """A line that is no master file; becomes a `Problem` in the reader."""

    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(text)
        self.text, self.remedy = text, remedy


class Entry(NamedTuple):
    """One record or directive: its first line, whether it begins with an owner, and its tokens."""

    line: int
    owned: bool
    tokens: list[str]


def entries(text: str) -> Iterator[Entry | tuple[int, BadText]]:
    """Yield the entries of a file; what cannot be read comes as its line and the reason."""
    lines = enumerate(text.split("\n"), 1)
    for number, line in lines:
        if line.isascii() and not _SPECIAL.search(line):
            tokens = line.split()
        else:
            try:
                tokens = _closely(line, number, lines)
            except BadText as bad:
                yield number, bad
                continue
        if tokens:
            yield Entry(number, line[0] not in " \t", tokens)


def _closely(line: str, first: int, following: Iterator[tuple[int, str]]) -> list[str]:
    """Return the tokens of the entry that begins with `line`; take more lines while a parenthesis is open."""
    tokens: list[str] = []
    depth, number = _scan(line, tokens, 0), first
    while depth:
        number, line = next(following, (0, ""))
        if not number or number - first > ENTRY_LINES_MAX:
            raise BadText("a parenthesis opens here and is not closed", "Add the missing ).")
        depth = _scan(line, tokens, depth)
    return tokens


def _scan(line: str, tokens: list[str], depth: int) -> int:
    """Append one line's tokens; return how many parentheses are open after it."""
    at = 0
    while at < len(line):
        match = _TOKEN.match(line, at)
        if match is None:
            raise BadText("a quoted string is not closed on its line", 'Add the missing ".')
        comment, quoted, parenthesis, plain = match.groups()
        if quoted is not None:
            tokens.append('"' + quoted)
        elif parenthesis:
            depth += 1 if parenthesis == "(" else -1
        elif plain:
            if not plain.isascii():
                raise BadText(f"{plain!a} is not ASCII", "Write names in their xn-- form, and text in quotes.")
            tokens.append(plain)
        if depth < 0:
            raise BadText("a parenthesis closes that was never opened", "Take the ) out.")
        at = len(line) if comment else match.end()
    return depth


def octets_of(text: str) -> bytes:
    r"""Resolve escapes: ``\X`` is X, ``\DDD`` the octet of that decimal number (RFC 1035 5.1)."""
    return b"".join(plain.encode("utf-8", "surrogateescape") + escaped for plain, escaped in _resolved(text))


def labels_of(text: str) -> list[bytes]:
    """Cut a name at its dots, those that are escaped aside, and resolve the escapes."""
    labels = [b""]
    for plain, escaped in _resolved(text):
        first, *more = plain.encode("ascii").split(b".")
        labels[-1] += first
        labels.extend(more)
        labels[-1] += escaped
    return labels


_ESCAPE = re.compile(r"\\([0-9]{3}|.)", re.DOTALL)


def _resolved(text: str) -> Iterator[tuple[str, bytes]]:
    """Yield (text without escapes, the octets of the escape after it)."""
    at = 0
    for match in _ESCAPE.finditer(text):
        escape = match[1]
        if len(escape) == 3 and int(escape) > 255:
            raise BadText(f"\\{escape} is no octet", "An escape is a backslash and three digits up to 255.")
        octets = bytes((int(escape),)) if len(escape) == 3 else escape.encode("utf-8", "surrogateescape")
        yield text[at : match.start()], octets
        at = match.end()
    yield text[at:], b""

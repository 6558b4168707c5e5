"""Macros: names that are made of a message's sender, its client and words (RFC 7208 7).

Law: pure. What is read is read whole or not at all, in time that grows with its length and no faster.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

NAME_CHARACTERS_MAX = 253  # RFC 7208 7.3
PARTS_MAX = 500  # more than a sender has characters: all of them

_PIECE = re.compile(r"%\{([slodiphv])([0-9]*)(r?)([.\-+,/_=]*)\}|%([%_-])|([!-$&-~]+)", re.IGNORECASE)
_TOP_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z", re.IGNORECASE)
_SIGNS = {"%": "%", "_": " ", "-": "%20"}


@dataclass(frozen=True, slots=True)
class Macro:
    """`parts`: how many of the right-hand ones are left."""

    letter: str
    parts: int
    is_reversed: bool
    delimiters: str
    is_quoted: bool

    def of(self, value: str) -> str:
        """Make of the letter's value what is asked for (7.3)."""
        parts = re.split(f"[{re.escape(self.delimiters)}]", value)
        if self.is_reversed:
            parts.reverse()
        text = ".".join(parts[-self.parts :])
        return quote(text, safe="-._~") if self.is_quoted else text


@dataclass(frozen=True, slots=True)
class Words:
    """A macro-string."""

    pieces: tuple[str | Macro, ...] = ()
    is_domain: bool = False  # it ends as a domain-spec has to

    @property
    def letters(self) -> frozenset[str]:
        return frozenset(piece.letter for piece in self.pieces if isinstance(piece, Macro))

    def expand(self, values: Mapping[str, str]) -> str:
        """Return the name that this means, cut from the left to what a name may have."""
        text = "".join(piece.of(values[piece.letter]) if isinstance(piece, Macro) else piece for piece in self.pieces)
        text = text.removesuffix(".")
        if len(text) <= NAME_CHARACTERS_MAX:
            return text
        dot = text.find(".", len(text) - NAME_CHARACTERS_MAX - 1)
        return text[dot + 1 :] if dot >= 0 else ""


def read_words(text: str) -> Words | None:
    """Read a macro-string; None where it is none."""
    pieces: list[str | Macro] = []
    at, last = 0, ""
    while at < len(text):
        match = _PIECE.match(text, at)
        piece = _piece(match) if match else None
        if match is None or piece is None:
            return None
        pieces.append(piece)
        at, last = match.end(), match[6] or ""
    return Words(tuple(pieces), bool(pieces) and (not last or _ends_in_top_label(last)))


def _piece(match: re.Match[str]) -> str | Macro | None:
    letter, digits, reverse, delimiters, sign, literal = match.groups()
    if literal:
        return literal
    if sign:
        return _SIGNS[sign]
    digits = digits.lstrip("0") if digits else str(PARTS_MAX)
    if not digits:  # 7.1: "the DIGIT value MUST be nonzero"
        return None
    parts = int(digits) if len(digits) < len(str(PARTS_MAX)) else PARTS_MAX
    return Macro(letter.lower(), parts, bool(reverse), delimiters or ".", letter.isupper())


def _ends_in_top_label(literal: str) -> bool:
    """Tell whether this ends in a dot and what can be a top-level domain: never a number (7.1)."""
    _, dot, label = literal.removesuffix(".").rpartition(".")
    return bool(dot and _TOP_LABEL.match(label)) and not label.isdigit()

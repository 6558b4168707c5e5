"""A zone file as its operator laid it out: where each entry and each of its words stands.

Law: it only looks. Lines count from 1, as in `Record.line`; columns from 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from directory.name_text import NameReader
from directory.rdata import read_ttl, type_number
from directory.tokens import BadText, Entry, entries

_WORD = re.compile(r'\s+|;.*|("(?:[^"\\]|\\.)*")|([()])|((?:[^\s;"()\\]|\\.)+)', re.ASCII)


class Word(NamedTuple):
    """One token, as it is written."""

    line: int
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """An entry: its first line, whether it begins with a name, and the origin and $TTL that hold there."""

    number: int  # among the entries
    line: int
    owned: bool
    first: str  # its first token
    origin: bytes
    ttl: int | None

    @property
    def generates(self) -> bool:
        return self.owned and self.first.upper() == "$GENERATE"

    @property
    def continues(self) -> bool:
        """Whether it takes its name from the entry before."""
        return not self.owned


class Layout:
    """A file that was read without mistakes."""

    def __init__(self, text: str, apex: bytes) -> None:
        self.lines = text.split("\n")
        self.places = tuple(_places(text, apex))
        self.by_line = {place.line: place for place in self.places}

    def words(self, place: Place) -> list[Word]:
        """An entry's tokens with their places, parentheses left out."""
        words: list[Word] = []
        depth, number = 0, place.line
        while True:
            depth = _scan(self.lines[number - 1], number, words, depth)
            if depth <= 0 or number >= len(self.lines):
                return words
            number += 1

    def last_line(self, place: Place) -> int:
        """The last line of an entry; a closing parenthesis may stand behind its last word."""
        depth, number = 0, place.line
        while True:
            depth = _scan(self.lines[number - 1], number, [], depth)
            if depth <= 0 or number >= len(self.lines):
                return number
            number += 1

    def following(self, place: Place) -> Place | None:
        return self.places[place.number + 1] if place.number + 1 < len(self.places) else None


def parts(words: list[Word], place: Place) -> tuple[int | None, int]:
    """Which word of a record's is its TTL, and which its type."""
    ttl, at = None, 1 if place.owned else 0
    while True:
        text = words[at].text
        if text[0].isdigit() and ttl is None:
            ttl = at
        elif text.upper() != "IN" and _is_type(text):
            return ttl, at
        at += 1


def _is_type(text: str) -> bool:
    try:
        return bool(type_number(text))
    except BadText:
        return False


def _scan(line: str, number: int, words: list[Word], depth: int) -> int:
    for match in _WORD.finditer(line):
        quoted, parenthesis, plain = match.groups()
        if parenthesis:
            depth += 1 if parenthesis == "(" else -1
        elif quoted is not None or plain:
            words.append(Word(number, match.start(), match.end(), match[0]))
    return depth


def _places(text: str, apex: bytes) -> Iterator[Place]:
    names, ttl = NameReader(apex), None
    readable = (entry for entry in entries(text) if isinstance(entry, Entry))
    for number, entry in enumerate(readable):
        first = entry.tokens[0]
        if entry.owned and first.upper() == "$ORIGIN":
            names = NameReader(names.read(entry.tokens[1]))
        elif entry.owned and first.upper() == "$TTL":
            ttl = read_ttl(entry.tokens[1])
        yield Place(number, entry.line, entry.owned, first, names.origin, ttl)

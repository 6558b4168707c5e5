"""Mailbox names against LIST's wildcards: ``*`` takes anything, ``%`` anything but the separator (RFC 3501 6.3.8).

Law: a match costs one step per character of the name, whatever the pattern: all places in the pattern are tried at
once, as bits of a number. No pattern can be made to explode.
"""

from __future__ import annotations

import re

SEPARATOR = "/"

_RUN = re.compile(r"[*%]{2,}")


class Pattern:
    """A LIST pattern, ready to match."""

    def __init__(self, text: str) -> None:
        text = _RUN.sub(lambda run: "*" if "*" in run[0] else "%", text)
        self._stars = sum(1 << at for at, char in enumerate(text) if char == "*")
        self._wild = self._stars | sum(1 << at for at, char in enumerate(text) if char == "%")
        self._end = 1 << len(text)
        self._places: dict[str, int] = {}
        for at, char in enumerate(text):
            if char not in "*%":
                self._places[char] = self._places.get(char, 0) | 1 << at

    def matches(self, name: str) -> bool:
        here = self._through_wildcards(1)
        for char in name:
            stay = here & (self._stars if char == SEPARATOR else self._wild)
            here = self._through_wildcards((here & self._places.get(char, 0)) << 1 | stay)
            if not here:
                return False
        return bool(here & self._end)

    def _through_wildcards(self, places: int) -> int:
        return places | (places & self._wild) << 1


class Patterns:
    """Several patterns under a reference; INBOX in any case (RFC 3501 5.1)."""

    def __init__(self, reference: str, patterns: tuple[str, ...]) -> None:
        full = [reference + pattern for pattern in patterns]
        self._patterns = [Pattern(text) for text in full]
        self._in_capitals = [Pattern(text.upper()) for text in full]

    def match(self, name: str) -> bool:
        if name == "INBOX":
            return any(pattern.matches(name) for pattern in self._in_capitals)
        return any(pattern.matches(name) for pattern in self._patterns)

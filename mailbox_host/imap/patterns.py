"""Mailbox names against LIST's wildcards: ``*`` takes anything, ``%`` anything but the separator (RFC 3501 6.3.8).

Law: a match costs one step per character of the name, whatever the patterns: all places in all of them are tried at
once, as bits of a number. No pattern can be made to explode.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailbox_host.folder_names import NAME_OCTETS_MAX, SEPARATOR

__all__ = ["SEPARATOR", "Patterns"]

LENGTH_MAX = 2 * NAME_OCTETS_MAX + 1  # every second character a wildcard: what is longer fits no name

_RUN = re.compile(r"[*%]{2,}")


class _Matcher:
    """Patterns ready to match: each has a bit for every place in it, and one for its end."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._starts = self._ends = self._stars = self._wild = 0
        self._places: dict[str, int] = {}
        bit = 1
        for text in texts:
            self._starts |= bit
            for char in text:
                if char in "*%":
                    self._wild |= bit
                    self._stars |= bit if char == "*" else 0
                else:
                    self._places[char] = self._places.get(char, 0) | bit
                bit <<= 1
            self._ends |= bit
            bit <<= 1

    def matches(self, name: str) -> bool:
        here = self._through_wildcards(self._starts)
        for char in name:
            stay = here & (self._stars if char == SEPARATOR else self._wild)
            here = self._through_wildcards((here & self._places.get(char, 0)) << 1 | stay)
            if not here:
                return False
        return bool(here & self._ends)

    def _through_wildcards(self, places: int) -> int:
        return places | (places & self._wild) << 1


class Patterns:
    """Several patterns under a reference; INBOX in any case (RFC 3501 5.1)."""

    def __init__(self, reference: str, patterns: tuple[str, ...]) -> None:
        full = [_RUN.sub(_joined, reference + pattern) for pattern in patterns]
        full = [text for text in dict.fromkeys(full) if len(text) <= LENGTH_MAX]
        self._matcher = _Matcher(full)
        self._in_capitals = _Matcher([text.upper() for text in full])
        self._known: dict[str, bool] = {}  # LIST asks about a name again for each level above it

    def match(self, name: str) -> bool:
        if name not in self._known:
            self._known[name] = (self._in_capitals if name == "INBOX" else self._matcher).matches(name)
        return self._known[name]


def _joined(run: re.Match[str]) -> str:
    return "*" if "*" in run[0] else "%"

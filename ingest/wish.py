"""What somebody who writes to ``follow@D`` wants: addresses, and where their posts should go.

Law: read from the Subject and from the first lines that she wrote herself (not from a quotation, not from her
signature); an option on the line of an address is for that address, alone on a line it is for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ingest.urls import BadUrl, canonical
from mail.envelope import Arrival
from mail.words import subject_of, text_of

URLS_MAX = 20  # of one mail: each costs a fetch and an answer
LINES_MAX = 60
FOLDER_OCTETS_MAX = 48  # with a URL and a subscriber it must fit a control field's line

_URL = re.compile(r"(?:feed:)?(?:[a-z][a-z0-9+.-]{1,15}://|(?<=feed:))[^\s<>\"]+", re.IGNORECASE)
_FOLDER = re.compile(r"""(?:^|\s)folder\s?=\s?(?:"([^"]+)"|'([^']+)'|(\S+))""", re.IGNORECASE)
_EDITS = re.compile(r"(?:^|\s)edits\s?=\s?yes\b", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_AFTER = ".,;:!?)]}'»"  # a sentence's, not the address's


@dataclass(frozen=True, slots=True)
class Wish:
    """One address that can be fetched."""

    url: str
    folder: str
    edits: bool = False  # edited items too, as replies


@dataclass(frozen=True, slots=True)
class Wishes:
    """All of a mail: what can be done, what cannot and why, and how many addresses were too many."""

    good: tuple[Wish, ...] = ()
    bad: tuple[tuple[str, str], ...] = field(default=())
    left_out: int = 0


def wishes_of(arrival: Arrival) -> Wishes:
    """Read a mail."""
    lines = [subject_of(arrival.headers), *_own_lines(text_of(arrival.content))]
    return read_wishes(lines)


def read_wishes(lines: list[str]) -> Wishes:
    """Read lines: each address once, in their order."""
    everywhere = next((folder for line in lines if not _URL.search(line) and (folder := _folder(line))), "INBOX")
    edits_everywhere = any(_EDITS.search(line) for line in lines if not _URL.search(line))
    good: dict[str, Wish] = {}
    bad: dict[str, str] = {}
    left_out = 0
    for line in lines:
        for said in _urls(line):
            try:
                url = canonical(said).text
            except BadUrl as error:
                bad.setdefault(said[:200], str(error))
                continue
            if url not in good and len(good) == URLS_MAX:
                left_out += 1
            else:
                good.setdefault(
                    url, Wish(url, _folder(line) or everywhere, edits_everywhere or bool(_EDITS.search(line)))
                )
    return Wishes(tuple(good.values()), tuple(bad.items())[:URLS_MAX], left_out)


def _own_lines(text: str) -> Iterator[str]:
    lines = text.splitlines()
    for count, line in enumerate(line for line in lines if line.strip()):
        if count >= LINES_MAX or line in ("-- ", "--"):
            return
        if not line.startswith(">"):
            yield line[:2_000]


def _urls(line: str) -> Iterator[str]:
    for match in _URL.finditer(line):
        yield _scheme(match[0].rstrip(_AFTER))


def _scheme(said: str) -> str:
    """``feed:`` is what browsers once called what follows."""
    if said.lower().startswith("feed://"):
        return "http" + said[4:]
    return said[5:] if said.lower().startswith("feed:") else said


def _folder(line: str) -> str:
    """Return the folder that a line names, or "" where it names none that can be."""
    match = _FOLDER.search(line)
    name = (match[1] or match[2] or match[3]).strip().rstrip(".,;") if match else ""
    return "" if _CONTROL.search(name) or len(name.encode("utf-8", "replace")) > FOLDER_OCTETS_MAX else name

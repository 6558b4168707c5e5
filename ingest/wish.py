"""What somebody who writes to ``follow@D`` wants: addresses, and where their posts should go.

Law: read from the Subject and from the first lines that she wrote herself (not from a quotation, not from her
signature); an option on the line of an address is for that address, alone on a line it is for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ingest.urls import BadUrl, canonical

URLS_MAX = 20  # of one mail: each costs a fetch and an answer
LINES_MAX = 60
SIFT_OCTETS_MAX = 80  # all words of one kind, which stand in a control field's line, too
FOLDER_OCTETS_MAX = 48  # with a URL and a subscriber it must fit a control field's line
OPTIONS = frozenset({"folder", "edits", "fulltext", "only", "without"})

ADDRESS = re.compile(r"(?:feed:)?(?:[a-z][a-z0-9+.-]{1,15}://|(?<=feed:))[^\s<>\"]+", re.IGNORECASE)
_FOLDER = re.compile(r"""(?:^|\s)folder\s?=\s?(?:"([^"]+)"|'([^']+)'|([^\s"]\S*))""", re.IGNORECASE)
_ONLY = re.compile(r"""(?:^|\s)only\s?=\s?(?:"([^"]+)"|'([^']+)'|([^\s"]\S*))""", re.IGNORECASE)
_WITHOUT = re.compile(r"""(?:^|\s)without\s?=\s?(?:"([^"]+)"|'([^']+)'|([^\s"]\S*))""", re.IGNORECASE)
_OPTION = re.compile(r"""\s*(?:folder|edits|fulltext|only|without)\s?=\s?(?:"[^"]+"|'[^']+'|\S)""", re.IGNORECASE)
_ANY_OPTION = re.compile(r"(?:^|\s)(?:folder|edits|fulltext|only|without)\s?=", re.IGNORECASE)
_EDITS = re.compile(r"(?:^|\s)edits\s?=\s?yes\b", re.IGNORECASE)
_FULLTEXT = re.compile(r"(?:^|\s)fulltext\s?=\s?yes\b", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_AFTER = ".,;:!?)]}'»"  # a sentence's, not the address's
_TYPED = str.maketrans("“”„‟", '""""')  # what a mail program makes of a quotation mark


@dataclass(frozen=True, slots=True)
class Wish:
    """One address that can be fetched. `only`, `without`: words that the posts must or must not have, each with a
    newline behind it."""

    url: str
    folder: str
    edits: bool = False  # edited items too, as replies
    only: str = ""
    without: str = ""
    fulltext: bool = False  # whole articles, from the items' own pages
    listed: bool = False  # in a list that came along


@dataclass(frozen=True, slots=True)
class Wishes:
    """All of a mail: what can be done, what cannot and why, and how many addresses were too many."""

    good: tuple[Wish, ...] = ()
    bad: tuple[tuple[str, str], ...] = field(default=())
    left_out: int = 0


def is_option(text: str) -> bool:
    """Tell whether a text is options and no address."""
    return _OPTION.match(text) is not None and not ADDRESS.search(text)


def read_options(line: str, everywhere: str, url: str = "") -> Wish:
    """Read the options of a line; what it does not say, the line `everywhere` does."""
    return Wish(
        url,
        _folder(line) or _folder(everywhere) or "INBOX",
        bool(_EDITS.search(line) or _EDITS.search(everywhere)),
        _words(_ONLY, line) or _words(_ONLY, everywhere),
        _words(_WITHOUT, line) or _words(_WITHOUT, everywhere),
        bool(_FULLTEXT.search(line) or _FULLTEXT.search(everywhere)),
    )


def options_of(lines: list[str]) -> Wish:
    """Read what the lines of a mail say for all its addresses."""
    return read_options("", " ".join(line for line in lines if is_option(line)))


def read_wishes(lines: list[str]) -> Wishes:
    """Read lines: each address once, in their order."""
    everywhere = " ".join(line for line in lines if not ADDRESS.search(line) and _ANY_OPTION.search(line))
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
                good.setdefault(url, read_options(line, everywhere, url))
    return Wishes(tuple(good.values()), tuple(bad.items())[:URLS_MAX], left_out)


def own_lines(text: str, most: int) -> Iterator[str]:
    """Return the lines that somebody wrote herself: no quotation, no signature, nothing empty."""
    lines = text.splitlines()
    for count, line in enumerate(line for line in lines if line.strip()):
        if count >= most or line in ("-- ", "--"):
            return
        if not line.startswith(">"):
            yield line[:2_000].translate(_TYPED)


def _urls(line: str) -> Iterator[str]:
    for match in ADDRESS.finditer(line):
        yield _scheme(match[0].rstrip(_AFTER))


def _scheme(said: str) -> str:
    """``feed:`` is what browsers once called what follows."""
    if said.lower().startswith("feed://"):
        return "http" + said[4:]
    return said[5:] if said.lower().startswith("feed:") else said


def _words(pattern: re.Pattern[str], line: str) -> str:
    """Return the words of all options of a kind, as many as fit."""
    kept = ""
    for match in pattern.finditer(line):
        word = " ".join(_CONTROL.sub(" ", match[1] or match[2] or match[3]).split())
        if word and len(f"{kept}{word}\n".encode("utf-8", "replace")) <= SIFT_OCTETS_MAX:
            kept += f"{word}\n"
    return kept


def _folder(line: str) -> str:
    """Return the folder that a line names, or "" where it names none that can be."""
    match = _FOLDER.search(line)
    return folder_of((match[1] or match[2] or match[3]).strip().rstrip(".,;") if match else "")


def folder_of(name: str) -> str:
    """Return a folder's name, or "" for one that cannot be."""
    return "" if _CONTROL.search(name) or len(name.encode("utf-8", "replace")) > FOLDER_OCTETS_MAX else name

"""What a mail to ``follow@D`` asks for beside the addresses of feeds: sources, leaving them, a list, help, newsletters.

Law: a command is a whole line that begins with its word, in the Subject or the first lines that somebody wrote herself;
every other line is read for addresses (wish.py). Reading is bounded, never raises, and guesses nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from directory.names import FabricNames, Reflector, Timeline
from ingest.misspelled import faults_of, looks_like_options
from ingest.opml import is_list
from ingest.urls import BadUrl, canonical
from ingest.wish import (
    ADDRESS,
    FOLDER_OCTETS_MAX,
    LINES_MAX,
    URLS_MAX,
    Wish,
    Wishes,
    is_option,
    own_lines,
    read_options,
    read_wishes,
)
from mail.address import BadAddress, is_entity, parse_address
from mail.envelope import Arrival
from mail.words import subject_of, text_of

WORDS_MAX = 20  # commands of one mail: each may be a mail to another host

_COMMAND = re.compile(
    r"(follow|subscribe|unfollow|unsubscribe|stop|newsletter|drop)(?:\s+newsletter)?\s+(\S+)(.*)\Z", re.IGNORECASE
)
_ALONE = re.compile(r"(list|help|newsletters|opml)\s*[.!?]?\Z", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][\w .-]{0,39}\Z")
_ALMOST = re.compile(r"(un?f|un?s|fol|sub|sto|lis|hel|new|dro)\w*(\s+\S+)?\Z", re.IGNORECASE)
_LEAVING = ("unfollow", "unsubscribe", "stop")


@dataclass(frozen=True, slots=True)
class Follow:
    """Follow a source of this fabric."""

    source: str
    options: Wish


@dataclass(frozen=True, slots=True)
class Unfollow:
    """Leave a source, or the one of a feed's address."""

    source: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Newsletter:
    """An address to give away, or (`drop`) no more mail to it."""

    name: str
    folder: str = ""
    drop: bool = False


@dataclass(frozen=True, slots=True)
class ListAll:
    """What do I follow? `feeds`: the feeds of it, as a list that feed readers take."""

    feeds: bool = False


@dataclass(frozen=True, slots=True)
class Help:
    """How does this work?"""


Errand = Follow | Unfollow | Newsletter | ListAll | Help


@dataclass(frozen=True, slots=True)
class Errands:
    """All of a mail: (line, errand) in their order, the addresses of feeds, and (line, reason) of what cannot be."""

    words: tuple[tuple[str, Errand], ...]
    wishes: Wishes
    bad: tuple[tuple[str, str], ...] = ()
    cut: bool = False  # there were more lines than are read

    @property
    def nothing(self) -> bool:
        return not (self.words or self.bad or self.wishes.good or self.wishes.bad)

    @property
    def wants_words(self) -> bool:
        """Whether there is something that nobody else will answer."""
        unanswered = any(not isinstance(errand, Follow | Unfollow) for _, errand in self.words)
        return self.nothing or unanswered or bool(self.bad or self.wishes.bad or self.wishes.left_out)

    @property
    def single(self) -> bool:
        """One thing and nothing else: whoever sees to it answers."""
        wishes, helped = self.wishes, any(isinstance(errand, Help) for _, errand in self.words)
        alone = len(self.words) + len(wishes.good) == 1 and not any(wish.listed for wish in wishes.good)
        return alone and not (self.bad or wishes.bad or self.cut or helped)


def lines_of(arrival: Arrival) -> list[str]:
    """Return a mail's Subject and what lines somebody wrote herself, one more than are read."""
    text = text_of(arrival.content)
    own = () if is_list(text.encode("utf-8", "replace")) else own_lines(text, LINES_MAX + 1)
    return [subject_of(arrival.headers), *own]


def errands_of(lines: list[str], names: FabricNames) -> Errands:
    """Read a mail, by its lines."""
    return replace(read_errands(lines[: LINES_MAX + 1], names), cut=len(lines) > LINES_MAX + 1)


def read_errands(lines: list[str], names: FabricNames) -> Errands:
    """Read lines."""
    words: dict[Errand, str] = {}
    bad: dict[str, str] = {}
    rest: list[str] = []
    everywhere = " ".join(line for line in lines if is_option(line))
    for line in map(str.strip, lines):
        read = _read(line, everywhere, names)
        if isinstance(read, Follow) or ADDRESS.search(line) or looks_like_options(line):
            bad |= faults_of(line)
        if isinstance(read, str):
            bad.setdefault(line[:200], read)
        elif read is None:
            rest.append(line)
        elif read not in words and len(words) == WORDS_MAX:
            bad.setdefault(line[:200], f"more than {WORDS_MAX} commands stand in one mail: write it again")
        else:
            words.setdefault(read, line[:200])
    found = tuple((line, errand) for errand, line in words.items())
    return Errands(found, read_wishes(rest), tuple(bad.items())[:URLS_MAX])


def _read(line: str, everywhere: str, names: FabricNames) -> Errand | str | None:
    """Read one line: an errand, why it is none, or None where it is no command."""
    if match := _ALONE.match(line):
        return Help() if match[1].lower() == "help" else ListAll(match[1].lower() == "opml")
    if source := _source_of(line.partition(" ")[0], names) if "@" in line else "":
        rest = line.partition(" ")[2]
        return Follow(source, read_options(rest, everywhere)) if _is_asked(rest) else None
    match = _COMMAND.match(line)
    if match is None:
        return "this is no command: write help to see them" if _ALMOST.match(line) and " " in line else None
    word, target, rest = match[1].lower(), match[2].strip("<>,;"), match[3]
    if word in ("newsletter", "drop"):
        return _newsletter(f"{target}{rest}", drop=word == "drop")
    if word in _LEAVING:
        return _unfollow(target, names) if not rest.strip() else None
    return _follow(target, rest, everywhere, names)


def _is_asked(rest: str) -> bool:
    """Tell whether nothing but options stands behind a source."""
    return not rest.strip() or is_option(rest) or looks_like_options(rest)


def _follow(target: str, rest: str, everywhere: str, names: FabricNames) -> Errand | str | None:
    if "://" in target or target.lower().startswith("feed:"):
        return None  # read_wishes knows
    source = target.lower() if is_entity(target.lower()) else _source_of(target, names)
    if not source:
        return "this is no source here: write subscribe to it there" if "@" in target else None
    if not _is_asked(rest):
        return None  # "follow me, please" is talk
    return Follow(source, read_options(rest, everywhere))


def _unfollow(target: str, names: FabricNames) -> Errand | str | None:
    if "://" in target:
        try:
            return Unfollow(url=canonical(target).text)
        except BadUrl as error:
            return str(error)
    source = target.lower() if is_entity(target.lower()) else _source_of(target, names)
    return Unfollow(source) if source else "this is no source here: every post of it says how to stop"


def _newsletter(said: str, *, drop: bool) -> Errand | str:
    options = read_options(said, "")
    name = " ".join(said.partition("folder=")[0].replace('"', "").split())
    if not _NAME.match(name) or len(name.encode()) > FOLDER_OCTETS_MAX:
        return "a newsletter is called by letters, digits and spaces, 40 at most"
    return Newsletter(name, "" if options.folder == "INBOX" else options.folder, drop)


def _source_of(text: str, names: FabricNames) -> str:
    """Return the source that an address of this fabric means, or ""."""
    try:
        name = names.classify(parse_address(text.strip("<>,;").removeprefix("mailto:")))
    except BadAddress:
        return ""
    match name:
        case Reflector(entity, detail) if detail in ("", "subscribe", "unsubscribe"):
            return entity
        case Timeline(entity, ""):
            return entity
    return ""

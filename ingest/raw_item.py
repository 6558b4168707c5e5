"""An item as its publisher wrote it, and the keys by which it is known again.

Law: a key is 48 bits of BLAKE2b of a normalised text. K1 is the guid without its scheme (a site that goes from http
to https is no new item), K2 the link without its scheme and its campaign, K3 the title and the text without markup.
"""

from __future__ import annotations

import hashlib
import html
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

KEY_OCTETS = 6  # SQLite's next smaller integer has 4, too few for 5,000 items; the next larger has 8
TELLING_CHARACTERS = 100  # fewer may be said twice: "Photo of the day"

BODY_CHARACTERS_MAX = 262_144  # the longest articles are half of that; sanitising costs more than linear time
TEXT_CHARACTERS_MAX = 2_000  # of a title, an author, a link, a guid
ATTACHMENTS_MAX = 10

_TAG = re.compile(r"<[^<>]*>")
_SPACE = re.compile(r"\s+")
_SCHEME = re.compile(r"^https?://", re.IGNORECASE)


class NoFeed(ValueError):
    """It is not a feed after all."""


@dataclass(frozen=True, slots=True)
class RawItem:
    """`body` is HTML unless `plain`; `base` is what its relative links are relative to."""

    guid: str
    link: str
    title: str
    author: str
    date: float | None
    body: str
    plain: bool
    base: str
    attachments: tuple[tuple[str, str, int], ...] = ()
    language: str = ""
    raw: int | None = None  # the key of its octets, where the document could be split

    def listed(self) -> tuple[int | None, int | None, int, bool, float | None, int | None]:
        """The item as it is listed to the host: see items.Listed."""
        said = f"{self.title}\n{stripped(self.body)}"
        return guid_key(self.guid), link_key(self.link), _key(said), len(said) > TELLING_CHARACTERS, self.date, self.raw


@dataclass(frozen=True, slots=True)
class Passed:
    """An item that was not parsed, since its octets are known."""

    raw: int
    date: float | None

    def listed(self) -> tuple[int, float | None]:
        return self.raw, self.date


@dataclass(frozen=True, slots=True)
class Feed:
    """A document. `floor`: the seconds that it asks to be left alone for; `skip`: the hours and days, as bits;
    `links`: the hub and the address of its own that it names."""

    title: str
    link: str
    floor: float
    items: list[RawItem | Passed]
    skip: int = 0
    links: tuple[str, str] = ("", "")


def guid_key(guid: str) -> int | None:
    guid = _SCHEME.sub("", guid.strip())
    return _key(guid) if guid else None


def link_key(link: str) -> int | None:
    """K2. A fragment stays: change logs tell their entries apart by it. A link to a site's front page says nothing
    of an item."""
    try:
        parts = urlsplit(link.strip())
    except ValueError:
        return None
    if not parts.netloc:
        return None
    pairs = [(name, value) for name, value in parse_qsl(parts.query, True) if not name.lower().startswith("utm_")]
    path = parts.path.rstrip("/")
    if not path and not pairs and not parts.fragment:
        return None
    return _key(f"{parts.netloc.lower().removeprefix('www.')}{path}?{urlencode(pairs)}#{parts.fragment}")


def stripped(markup: str) -> str:
    """Text without its tags and with single spaces: cheap, linear, and only for comparing."""
    return _SPACE.sub(" ", html.unescape(_TAG.sub(" ", markup))).strip()


def key_of(octets: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(octets, digest_size=KEY_OCTETS).digest(), "big", signed=True)


def _key(text: str) -> int:
    return key_of(text.encode("utf-8", "surrogatepass"))


def text_of(value: Any, most: int = TEXT_CHARACTERS_MAX) -> str:
    """A document's value as a capped text; "" for what is no text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)[:most].strip()


def number_of(value: Any) -> int:
    """A document's value as a number, 0 for anything else."""
    text = str(value or "").strip()[:15]
    return int(text) if text.isascii() and text.isdigit() else 0

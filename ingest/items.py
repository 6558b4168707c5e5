"""What the parsing process tells of a document: first what is listed in it, then the items that were asked for.

Law: these values cross a pipe as JSON; whoever reads them assumes nothing of their texts but that they are texts.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, NamedTuple

QUESTION = struct.Struct(">II")  # octets of JSON, octets of document
ANSWER = struct.Struct(">I")  # octets of JSON
ITEMS_MAX = 500  # of one document; feeds list 10 to 100
TOLD_AT_ONCE_MAX = 5  # items that nobody asked for yet: a question less, and at worst so much done in vain


class Listed(NamedTuple):
    """One item's keys: of its guid, of its link, of its title and text (`telling`: over 100 characters of them).

    `raw`: of the octets that it is written in, if the document could be split. `item`: its name, if those are known.
    """

    k1: int | None
    k2: int | None
    k3: int
    telling: bool
    date: float | None
    raw: int | None = None
    item: int | None = None


class Familiar(NamedTuple):
    """An item that was not read again, since its very octets are known."""

    raw: int
    date: float | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A feed. `floor_seconds`: how long it asks to be left alone (ttl, updatePeriod); `skip`: when, as bits;
    `links`: the hub and the address of its own that it names."""

    title: str
    link: str
    floor_seconds: float
    items: tuple[Listed | Familiar, ...]
    skip: int = 0
    links: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Page:
    """No feed but a page; `feeds` are the addresses that it gives of its own."""

    feeds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Neither:
    """Nothing that can be followed, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """An enclosure, which is mailed as a link."""

    url: str
    kind: str
    octets: int


@dataclass(frozen=True, slots=True)
class Item:
    """One item, ready to be mailed: `html` is sanitised, `text` is the same for people without HTML, and flows."""

    title: str
    author: str
    link: str
    date: float | None
    text: str
    html: str
    attachments: tuple[Attachment, ...]
    language: str = ""


@dataclass(frozen=True, slots=True)
class Article:
    """What a page is about, ready to be mailed as an item's is. `characters`: of its text."""

    text: str
    html: str
    characters: int


Reading = Listing | Page | Neither


def reading_of(told: dict[str, Any]) -> Reading:
    """Read the parsing process's first answer."""
    match told["kind"]:
        case "feed":
            items = tuple(Familiar(*row) if len(row) == 2 else Listed(*row) for row in told["items"][:ITEMS_MAX])
            hub, own = told["links"]
            return Listing(told["title"], told["link"], float(told["floor"]), items, int(told["skip"]), (hub, own))
        case "page":
            return Page(tuple(told["feeds"]))
    return Neither(told["reason"])


def item_of(told: dict[str, Any]) -> Item:
    """Read one of the items that were asked for."""
    attachments = tuple(Attachment(url, kind, int(octets)) for url, kind, octets in told["attachments"])
    return Item(
        told["title"],
        told["author"],
        told["link"],
        told["date"],
        told["text"],
        told["html"],
        attachments,
        told["language"],
    )

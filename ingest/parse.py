"""Read RSS, RDF and Atom into raw items. Runs in the parsing process: what it is given may take forever.

Law: only bytes are parsed, never an address (the parser would fetch it). A text of the document is capped here,
before anything else looks at it.
"""

from __future__ import annotations

import calendar
import io
import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import feedparser
import feedparser.api

from ingest.items import ITEMS_MAX
from ingest.prescan import Split, split
from ingest.raw_item import (
    ATTACHMENTS_MAX,
    BODY_CHARACTERS_MAX,
    Feed,
    NoFeed,
    Passed,
    RawItem,
    number_of,
    stripped,
    text_of,
)
from ingest.schedule import skip_mask

feedparser.api.PREFERRED_XML_PARSERS.clear()  # else it looks through the path for another one, for each document

SKIP_OCTETS = 16_384
LANGUAGE_CHARACTERS_MAX = 35  # RFC 5646 4.4.1
_PERIODS = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
_ITEM_END = re.compile(rb"</(?:\w{1,20}:)?(?:item|entry)\s*>", re.IGNORECASE)
_SKIP = re.compile(rb"<skip(hours|days)\s*>(.{0,2000}?)</skip", re.IGNORECASE | re.DOTALL)
_HOUR = re.compile(rb"<hour>\s*([0-9]{1,2})\s*<", re.IGNORECASE)
_DAY = re.compile(rb"<day>\s*(mon|tue|wed|thu|fri|sat|sun)", re.IGNORECASE)
_WEEKDAYS = (b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun")
_ADDRESS_AND_NAME = re.compile(r"[^\s()]{1,250}@[^\s()]{1,250} \((.*)\)")
_PARAGRAPHS = re.compile(r"\S[ \t]*\n[ \t]*\n\S")  # as in mail; without a tag, a text is made so by hand
_HAS_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|&[#a-zA-Z0-9]{1,10};")


def parse_xml(content: bytes, url: str, content_type: str, known: Collection[int] = ()) -> Feed:
    """Read RSS, RDF or Atom, all but the items whose octets are `known`."""
    parts = split(content)
    if parts is not None:
        feed = _parsed(parts.without(known), url, content_type)
        items = _put_together(parts, known, feed.items)
        if items is not None:
            return replace(feed, items=items)
    return _parsed(_shortened(content), url, content_type)


def _put_together(
    parts: Split, known: Collection[int], parsed: list[RawItem | Passed]
) -> list[RawItem | Passed] | None:
    """Return all items in their order; None if the parser saw other items than we did."""
    if len(parsed) != sum(key not in known for key in parts.keys):
        return None
    rest = iter(parsed)

    def at(place: int, key: int) -> RawItem | Passed:
        if key in known:
            return Passed(key, parts.date(place))
        found = next(rest)
        assert isinstance(found, RawItem)
        return replace(found, raw=key)

    return [at(place, key) for place, key in enumerate(parts.keys)]


def _parsed(content: bytes, url: str, content_type: str) -> Feed:
    headers = {"content-type": content_type, "content-location": url}
    stream = io.BytesIO(content)  # bytes alone would be tried as the name of a file
    found = feedparser.parse(stream, response_headers=headers, sanitize_html=False, resolve_relative_uris=False)
    if not found.get("version") and not found.entries:
        raise NoFeed("it is XML, but neither RSS nor Atom")
    feed = found.feed
    link = text_of(feed.get("link")) or url
    author = _author(feed) if found.version.startswith("atom") else ""  # RFC 4287 4.2.1: its entries inherit it
    entries = found.entries[:ITEMS_MAX]
    title = _plain(feed.get("title_detail"), feed.get("title"))
    language = text_of(feed.get("language"), LANGUAGE_CHARACTERS_MAX)
    items: list[RawItem | Passed] = [_item(entry, link, url, author, language) for entry in entries]
    return Feed(title, link, _floor(feed), items, _skipped(content), _links(feed))


def _links(feed: Any) -> tuple[str, str]:
    named = {text_of(each.get("rel")): text_of(each.get("href")) for each in reversed(feed.get("links", []))}
    return named.get("hub", ""), named.get("self", "")


def _shortened(content: bytes) -> bytes:
    """Cut a document after its last item that counts: the rest would only cost time."""
    for count, match in enumerate(_ITEM_END.finditer(content), 1):
        if count == ITEMS_MAX:
            return content[: match.end()]
    return content


def _item(entry: Any, feed_link: str, url: str, author: str, language: str) -> RawItem:
    body, plain, base, own_language = _body(entry)
    link = text_of(entry.get("link"))
    return RawItem(
        guid=text_of(entry.get("id")),
        link=link,
        title=_plain(entry.get("title_detail"), entry.get("title")),
        author=stripped(_author(entry) or author),
        date=_date(entry),
        body=body,
        plain=plain,
        base=base if base and base != url else link or feed_link,
        attachments=tuple(_attachments(entry)),
        language=own_language or language,
    )


def _body(entry: Any) -> tuple[str, bool, str, str]:
    """The longest of content and summary: many feeds give a teaser and the whole."""
    found = [part for part in (*entry.get("content", []), entry.get("summary_detail")) if part and part.get("value")]
    if not found:
        return "", True, "", ""
    best = max(found, key=lambda part: len(part["value"]))
    value = str(best["value"])[:BODY_CHARACTERS_MAX]
    as_text = best.get("type") == "text/plain" or _PARAGRAPHS.search(value)
    plain = bool(as_text) and not _HAS_TAG.search(value)
    return value, plain, text_of(best.get("base")), text_of(best.get("language"), LANGUAGE_CHARACTERS_MAX)


def _plain(detail: Any, value: Any) -> str:
    """A title as text. RSS does not say whether a title is HTML; what holds a tag or an entity, is."""
    text = text_of(value)
    says_html = bool(detail) and str(detail.get("type", "")).endswith("html")
    return stripped(text) if says_html or _HAS_TAG.search(text) else " ".join(text.split())


def _author(entry: Any) -> str:
    """A name. RSS writes ``address (name)``, which the library takes apart at the wrong place for long domains."""
    said = text_of(entry.get("author"))
    match = _ADDRESS_AND_NAME.fullmatch(said)
    return match[1] if match else text_of((entry.get("author_detail") or {}).get("name")) or said


def _date(entry: Any) -> float | None:
    found = entry.get("published_parsed") or entry.get("updated_parsed") or entry.get("created_parsed")
    try:
        return float(calendar.timegm(found)) if found else None
    except (ValueError, OverflowError):
        return None


def _attachments(entry: Any) -> list[tuple[str, str, int]]:
    rows = [(each.get("href"), each.get("type"), each.get("length")) for each in entry.get("enclosures", [])]
    rows += [(each.get("url"), each.get("type"), each.get("filesize")) for each in entry.get("media_content", [])]
    unique = {
        text_of(url): (text_of(url), text_of(kind)[:100], number_of(size)) for url, kind, size in reversed(rows) if url
    }
    return list(reversed(unique.values()))[:ATTACHMENTS_MAX]


def _floor(feed: Any) -> float:
    """RSS ttl is in minutes; the syndication module says period and frequency."""
    ttl = number_of(feed.get("ttl")) * 60
    period = _PERIODS.get(text_of(feed.get("sy_updateperiod")).strip().lower(), 0)
    return float(max(ttl, period // max(1, number_of(feed.get("sy_updatefrequency")))))


def _skipped(content: bytes) -> int:
    """The library does not know skipHours and skipDays; they stand near the top."""
    found = {kind.lower(): block for kind, block in _SKIP.findall(content[:SKIP_OCTETS])}
    hours = [int(hour) for hour in _HOUR.findall(found.get(b"hours", b""))]
    days = [_WEEKDAYS.index(day.lower()) for day in _DAY.findall(found.get(b"days", b""))]
    return skip_mask(hours, days)

"""Read RSS, RDF and Atom into raw items. Runs in the parsing process: what it is given may take forever.

Law: only bytes are parsed, never an address (the parser would fetch it). A text of the document is capped here,
before anything else looks at it.
"""

from __future__ import annotations

import calendar
import io
import re
from typing import Any

import feedparser

from ingest.items import ITEMS_MAX
from ingest.raw_item import ATTACHMENTS_MAX, BODY_CHARACTERS_MAX, Feed, NoFeed, RawItem, number_of, stripped, text_of

_PERIODS = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
_ITEM_END = re.compile(rb"</(?:\w{1,20}:)?(?:item|entry)\s*>", re.IGNORECASE)
_ADDRESS_AND_NAME = re.compile(r"[^\s()]{1,250}@[^\s()]{1,250} \((.*)\)")
_HAS_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|&[#a-zA-Z0-9]{1,10};")


def parse_xml(content: bytes, url: str, content_type: str) -> Feed:
    """Read RSS, RDF or Atom."""
    headers = {"content-type": content_type, "content-location": url}
    stream = io.BytesIO(_shortened(content))  # bytes alone would be tried as the name of a file
    found = feedparser.parse(stream, response_headers=headers, sanitize_html=False, resolve_relative_uris=False)
    if not found.get("version") and not found.entries:
        raise NoFeed("it is XML, but neither RSS nor Atom")
    feed = found.feed
    link = text_of(feed.get("link")) or url
    author = _author(feed) if found.version.startswith("atom") else ""  # RFC 4287 4.2.1: its entries inherit it
    entries = found.entries[:ITEMS_MAX]
    title = _plain(feed.get("title_detail"), feed.get("title"))
    return title, link, _floor(feed), [_item(entry, link, url, author) for entry in entries]


def _shortened(content: bytes) -> bytes:
    """Cut a document after its last item that counts: the rest would only cost time."""
    for count, match in enumerate(_ITEM_END.finditer(content), 1):
        if count == ITEMS_MAX:
            return content[: match.end()]
    return content


def _item(entry: Any, feed_link: str, url: str, author: str) -> RawItem:
    body, plain, base = _body(entry)
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
    )


def _body(entry: Any) -> tuple[str, bool, str]:
    """The longest of content and summary: many feeds give a teaser and the whole."""
    found = [part for part in (*entry.get("content", []), entry.get("summary_detail")) if part and part.get("value")]
    if not found:
        return "", True, ""
    best = max(found, key=lambda part: len(part["value"]))
    value = str(best["value"])[:BODY_CHARACTERS_MAX]
    plain = best.get("type") == "text/plain" and not _HAS_TAG.search(value)
    return value, plain, text_of(best.get("base"))


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

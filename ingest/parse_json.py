"""Read JSON Feed 1.0 and 1.1 into raw items. Runs in the parsing process.

Law: a field of another type than it should be counts as missing; nothing else of the feed suffers.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from ingest.items import ITEMS_MAX
from ingest.raw_item import ATTACHMENTS_MAX, BODY_CHARACTERS_MAX, Feed, NoFeed, RawItem, number_of, stripped, text_of


def parse_json(content: bytes, url: str) -> Feed:
    """Return title, link, floor and items; raise NoFeed."""
    try:
        found = json.loads(content.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        raise NoFeed("it is not well-formed JSON") from None
    items = found.get("items") if isinstance(found, dict) else None
    if not isinstance(items, list):
        raise NoFeed("it is JSON, but no JSON Feed")
    link = text_of(found.get("home_page_url")) or url
    author, language = _json_author(found), text_of(found.get("language"), 35)
    rows = [_json_item(item, link, author, language) for item in items[:ITEMS_MAX] if isinstance(item, dict)]
    hubs = found.get("hubs")
    rings = [each for each in (hubs if isinstance(hubs, list) else []) if isinstance(each, dict)]
    hub = next((text_of(each.get("url")) for each in rings if each.get("type") == "WebSub"), "")
    links = (hub, text_of(found.get("feed_url")))
    return Feed(stripped(text_of(found.get("title"))), link, 0.0, [*rows], links=links)


def _json_item(item: dict[str, Any], feed_link: str, author: str, language: str) -> RawItem:
    body = text_of(item.get("content_html"), BODY_CHARACTERS_MAX)
    plain = text_of(item.get("content_text"), BODY_CHARACTERS_MAX) or text_of(item.get("summary"), BODY_CHARACTERS_MAX)
    link = text_of(item.get("url")) or text_of(item.get("external_url"))
    rows = item.get("attachments")
    attachments = [
        (text_of(each.get("url")), text_of(each.get("mime_type"))[:100], number_of(each.get("size_in_bytes")))
        for each in (rows if isinstance(rows, list) else [])
        if isinstance(each, dict) and each.get("url")
    ]
    return RawItem(
        guid=text_of(item.get("id")),
        link=link,
        title=stripped(text_of(item.get("title"))),
        author=_json_author(item) or author,
        date=date_of(item.get("date_published") or item.get("date_modified")),
        body=body or plain,
        plain=not body,
        base=link or feed_link,
        attachments=tuple(attachments[:ATTACHMENTS_MAX]),
        language=text_of(item.get("language"), 35) or language,
    )


def _json_author(found: dict[str, Any]) -> str:
    several = found.get("authors")
    first = several[0] if isinstance(several, list) and several else found.get("author")
    return stripped(text_of(first.get("name"))) if isinstance(first, dict) else ""


def date_of(value: Any) -> float | None:
    """Read a date of ISO 8601; None for any other."""
    try:
        found = datetime.fromisoformat(text_of(value)[:64])  # RFC 3339, as the specification asks
        return found.replace(tzinfo=found.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None

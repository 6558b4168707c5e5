"""The feeds that a page names as its own (``<link rel="alternate">``). Runs in the parsing process.

Law: only what the page says in so many words; nothing is guessed and nothing is fetched.
"""

from __future__ import annotations

from urllib.parse import urljoin

from lxml import html

FEEDS_MAX = 5
PAGE_OCTETS_MAX = 1_000_000  # the links are in its head
_TYPES = frozenset({"application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml"})


def feeds_of(content: bytes, url: str) -> list[str]:
    """Return the addresses of a page's feeds, in its order, comments' feeds last."""
    try:
        page = html.fromstring(content[:PAGE_OCTETS_MAX])
    except Exception:  # an empty page, an encoding that does not exist: it names no feed
        return []
    found: list[str] = []
    base = next((urljoin(url, each) for each in page.xpath("//base/@href")[:1]), url)
    for link in page.iter("link"):
        if "alternate" in link.get("rel", "").lower().split() and link.get("type", "").lower() in _TYPES:
            address = _joined(base, link.get("href", ""))
            if address and address not in found:
                found.append(address)
    found.sort(key=lambda address: "comments" in address.lower())
    return found[:FEEDS_MAX]


def _joined(base: str, reference: str) -> str:
    try:
        return urljoin(base, reference.strip())
    except ValueError:
        return ""

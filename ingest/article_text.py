"""The article of a web page, without what stands around it. Runs in the parsing process.

Law: as for items: sanitised, links made whole, a text that says the same. A page that is too large, or whose article
cannot be told from the rest, has none; the feed's own words are at hand.
"""

from __future__ import annotations

import codecs
import re

from ingest.plain_text import flowed, text_of_html
from ingest.raw_item import BODY_CHARACTERS_MAX, stripped
from ingest.render import is_abysmal, sanitised
from ingest.sniff import kind_of

PAGE_OCTETS_MAX = 2_000_000  # costs a second and a half at worst; articles' pages have a tenth of that
CHARACTERS_MIN = 250  # less is a consent form, or a page that a script fills
META_OCTETS = 4_096
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


def article_of(content: bytes, url: str, content_type: str) -> tuple[str, str, int] | None:
    """Return (text that flows, HTML, characters), or None."""
    if len(content) > PAGE_OCTETS_MAX or kind_of(content) != "page":
        return None
    try:
        clean = sanitised(_found(decoded(content, content_type)), url)
    except Exception:  # lxml raises what it likes; an unreadable page is no article
        return None
    characters = len(stripped(clean))
    if characters < CHARACTERS_MIN:
        return None
    return flowed(text_of_html(clean)), clean, characters


def decoded(content: bytes, content_type: str) -> str:
    """Decode a page as its server says, or as it says itself (WHATWG HTML 13.2.3)."""
    said = _CHARSET.search(content_type) or _CHARSET.search(content[:META_OCTETS].decode("latin-1"))
    name = said[1] if said else "utf-8"
    try:
        codecs.lookup(name)
        return content.decode("windows-1252" if name.lower() in ("iso-8859-1", "us-ascii") else name, "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def _found(page: str) -> str:
    from readability import Document  # 50 ms: few feeds want it

    markup = str(Document(page).summary(html_partial=True))
    return "" if len(markup) > BODY_CHARACTERS_MAX * 2 or is_abysmal(markup) else markup

"""Make an item fit to be read: sanitised HTML with whole links, and a text that says the same.

Law: no script, style, form, frame or foreign scheme leaves this file, and no HTML so deep that reading it costs more
than linear time: that is shown as plain text.
"""

from __future__ import annotations

import html
import re
from urllib.parse import urljoin

import nh3

from ingest.plain_text import text_of_html, tidy
from ingest.raw_item import RawItem, stripped
from ingest.repair import repaired

DEPTH_MAX = 200  # both the sanitiser and the text maker grow worse than linearly with it; articles stay under 40
TAGS_MAX = 20_000

_TAGS = frozenset(
    "a abbr article aside b blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption "
    "figure footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li mark ol p pre q s samp section small span strong sub "
    "summary sup table tbody td tfoot th thead time tr u ul var".split()
)
_ATTRIBUTES = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
_SCHEMES = {"http", "https", "mailto"}
_REFERENCES = frozenset({"href", "src"})
_WITH_CONTENT = {"script", "style", "noscript", "iframe", "object", "svg", "math", "template", "title", "textarea"}
_OPEN_ENDED = frozenset("br hr img input meta link p li td th tr dt dd option source wbr col area embed".split())
_ANY_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^<>]*>")


def rendered(item: RawItem) -> tuple[str, str]:
    """Return (text, HTML) of an item's body."""
    if item.plain or is_abysmal(item.body):
        words = item.body if item.plain else stripped(item.body)
        return tidy(words), "".join(f"<p>{html.escape(part)}</p>\n" for part in words.split("\n\n"))
    clean = sanitised(item.body, item.base)
    return text_of_html(clean), clean


def sanitised(markup: str, base: str) -> str:
    """Return HTML that a mail client can show without harm, its links made whole."""

    def whole(tag: str, name: str, value: str) -> str:
        return _whole(base, value) if name in _REFERENCES else value

    return nh3.clean(
        repaired(markup),
        tags=set(_TAGS),
        attributes=_ATTRIBUTES,
        attribute_filter=whole,
        clean_content_tags=_WITH_CONTENT,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"img": {"style": "max-width:100%;height:auto"}},  # where the style sheet is dropped
    )


def _whole(base: str, value: str) -> str:
    try:
        return urljoin(base, value.strip())
    except ValueError:
        return ""


def is_abysmal(markup: str) -> bool:
    """Tell whether tags are nested, or counted, beyond what anybody writes."""
    depth = deepest = 0
    for count, match in enumerate(_ANY_TAG.finditer(markup)):
        if count > TAGS_MAX:
            return True
        if match[2].lower() not in _OPEN_ENDED:
            depth = max(0, depth - 1) if match[1] else depth + 1
            deepest = max(deepest, depth)
    return deepest > DEPTH_MAX

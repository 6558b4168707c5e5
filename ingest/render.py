"""Make an item fit to be read: sanitised HTML with whole links, and a text that says the same.

Law: no script, style, form, frame or foreign scheme leaves this file, and no HTML so deep that reading it costs more
than linear time: that is shown as plain text.
"""

from __future__ import annotations

import html
import re
from urllib.parse import urljoin

import inscriptis
import nh3
from inscriptis.model.config import ParserConfig

from ingest.raw_item import RawItem, stripped

DEPTH_MAX = 200  # both the sanitiser and the text maker grow worse than linearly with it; articles stay under 40
TAGS_MAX = 20_000
TEXT_CHARACTERS_MAX = 200_000

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
_EMPTY_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}")
_LINK = re.compile(r"\[([^\[\]\n]{0,500})\]\(([^\s()]{1,2000})\)")
_CONFIG = ParserConfig(display_links=True)


def rendered(item: RawItem) -> tuple[str, str]:
    """Return (text, HTML) of an item's body."""
    if item.plain or _is_abysmal(item.body):
        words = item.body if item.plain else stripped(item.body)
        return tidy(words), "".join(f"<p>{html.escape(part)}</p>\n" for part in words.split("\n\n"))
    clean = sanitised(item.body, item.base)
    return text_of_html(clean), clean


def sanitised(markup: str, base: str) -> str:
    """Return HTML that a mail client can show without harm, its links made whole."""

    def whole(tag: str, name: str, value: str) -> str:
        return _whole(base, value) if name in _REFERENCES else value

    return nh3.clean(
        markup,
        tags=set(_TAGS),
        attributes=_ATTRIBUTES,
        attribute_filter=whole,
        clean_content_tags=_WITH_CONTENT,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer",
    )


def text_of_html(clean: str) -> str:
    """Return sanitised HTML as text, links as ``[word](address)``."""
    if not clean.strip():
        return ""
    try:
        return tidy(_LINK.sub(_link, inscriptis.get_text(clean, _CONFIG)))
    except Exception:  # whatever a text maker trips over, the words are still there
        return tidy(stripped(clean))


def _link(match: re.Match[str]) -> str:
    """A link of an image, or one that shows its own address, is just the address."""
    words = match[1].strip()
    return match[2] if words in ("", match[2]) else f"[{words}]({match[2]})"


def tidy(text: str) -> str:
    """Trim lines and runs of empty ones."""
    lines = "\n".join(line.rstrip() for line in text.replace("\r", "").split("\n"))
    return _EMPTY_LINES.sub("\n\n", lines).strip()[:TEXT_CHARACTERS_MAX]


def _whole(base: str, value: str) -> str:
    try:
        return urljoin(base, value.strip())
    except ValueError:
        return ""


def _is_abysmal(markup: str) -> bool:
    """Tell whether tags are nested, or counted, beyond what anybody writes."""
    depth = deepest = 0
    for count, match in enumerate(_ANY_TAG.finditer(markup)):
        if count > TAGS_MAX:
            return True
        if match[2].lower() not in _OPEN_ENDED:
            depth = max(0, depth - 1) if match[1] else depth + 1
            deepest = max(deepest, depth)
    return deepest > DEPTH_MAX

"""Repair what works in a browser only: pictures that a script loads, players in frames, pixels that count readers.

Law: cheap and linear, before the sanitiser; it need not be safe, since that comes after it.
"""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

IMAGES_MAX = 500  # beyond, they stay as they are

_IMAGE = re.compile(r"<img\b([^<>]{0,8000})>", re.IGNORECASE)
_PLAYER = re.compile(r"<(iframe|video|audio|embed)\b([^<>]{0,8000})>", re.IGNORECASE)
_SOURCE = re.compile(r"<source\b([^<>]{0,8000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([a-zA-Z_:][-\w:.]{0,60})\s*=\s*(?:\"([^\"]*)(?:\"|\Z)|'([^']*)(?:'|\Z)|([^\s\"'>]+))")
_LAZY = ("data-src", "data-lazy-src", "data-original", "data-orig-file", "data-full-url", "data-url", "data-image")
_SETS = ("srcset", "data-srcset", "data-lazy-srcset")
_PLACEHOLDER = re.compile(
    r"^$|^data:|about:blank|placeholder|spacer|blank\.(?:gif|png)|/(?:1x1|pixel)\.", re.IGNORECASE
)
_EMBED = re.compile(r"^(?:https?:)?//(?:www\.)?youtube(?:-nocookie)?\.com/embed/([\w-]{5,20})")
_WIDTH_MAX = 1_300  # of the pictures that a page offers, the largest that a mail needs


def repaired(markup: str) -> str:
    """Return markup whose pictures and players work in a mail client."""
    markup = _IMAGE.sub(_image, markup, IMAGES_MAX)
    markup = _PLAYER.sub(_player, markup, IMAGES_MAX)
    return _SOURCE.sub(_track, markup, IMAGES_MAX)


def _attributes(text: str) -> dict[str, str]:
    found = _ATTRIBUTE.findall(text)
    return {name.lower(): html.unescape(one or two or three).strip() for name, one, two, three in reversed(found)}


def _image(match: re.Match[str]) -> str:
    has = _attributes(match[1])
    if {has.get("width"), has.get("height")} <= {"0", "1", "0px", "1px"}:
        return ""  # a picture of one pixel shows nothing, and tells the sender who read
    source = has.get("src", "")
    if _PLACEHOLDER.search(source):
        source = next((has[name] for name in _LAZY if has.get(name)), "") or _widest(has) or source
    if not source or source.startswith("data:"):
        return ""
    kept = {name: value for name, value in has.items() if name in ("alt", "title", "width", "height")}
    return _tag("img", {"src": source, **kept})


def _widest(has: dict[str, str]) -> str:
    """Choose from a srcset (`address 640w, address 2x`)."""
    choices: list[tuple[float, str]] = []
    for each in next((has[name] for name in _SETS if has.get(name)), "").split(", "):
        address, _, size = each.strip().rstrip(",").partition(" ")
        number = size.strip()[:-1]
        width = float(number) if number.replace(".", "", 1).isdigit() else 1.0
        if address and not address.startswith("data:"):
            choices.append((width if width <= _WIDTH_MAX else -width, address))
    return max(choices, default=(0.0, ""))[1]


def _player(match: re.Match[str]) -> str:
    """A frame or a player becomes a link: to the page of the film, where that is known."""
    kind, has = match[1].lower(), _attributes(match[2])
    source = has.get("src") or has.get("data-src") or has.get("data-lazy-src") or ""
    picture = _tag("img", {"src": has["poster"], "alt": ""}) if has.get("poster") else ""
    if film := _EMBED.match(source):
        kind, source = "video", f"https://www.youtube.com/watch?v={film[1]}"
    return picture + _link(source, has.get("title", ""), {"video": "Video", "audio": "Audio"}.get(kind, "Embedded"))


def _track(match: re.Match[str]) -> str:
    """What a player plays; a picture's source has a srcset instead."""
    has = _attributes(match[1])
    kind = has.get("type", "").partition("/")[0].capitalize()
    return _link(has.get("src", ""), "", kind if kind in ("Video", "Audio") else "Media")


def _link(address: str, title: str, kind: str) -> str:
    if not address.startswith(("http", "/")) or _PLACEHOLDER.search(address):
        return ""
    try:
        words = title or urlsplit(address).hostname or address
    except ValueError:
        return ""
    return f"<p>{_tag('a', {'href': address})}▶ {kind}: {html.escape(words)}</a></p>"


def _tag(name: str, attributes: dict[str, str]) -> str:
    return f"<{name} " + " ".join(f'{key}="{html.escape(value)}"' for key, value in attributes.items()) + ">"

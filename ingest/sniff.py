"""What a document is, by its first octets: servers' Content-Types are wrong too often.

Law: linear in what it looks at, and it looks at 64 KB: what opens with a megabyte of comment is no feed.
"""

from __future__ import annotations

import re
from typing import Literal

LOOKED_AT_OCTETS = 65_536
GLANCED_AT_OCTETS = 2_048  # nearly always they tell
Kind = Literal["xml", "json", "page", ""]

_BOMS = (
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"<\x00?\x00", "utf-16-le"),
    (b"\x00<\x00?", "utf-16-be"),
)
_OPENING = re.compile(r"<(?!!--|\?|!)([A-Za-z_][\w.:-]{0,30})")
_ASIDE = re.compile(r"<!--.*?-->|<\?.*?\?>", re.DOTALL)
_PAGE = re.compile(r"<!doctype\s+html|<html[\s>]", re.IGNORECASE)
_FEEDS = frozenset({"rss", "feed", "rdf", "channel", "entry"})


def kind_of(content: bytes) -> Kind:
    """Tell what it might be: a feed in XML, a feed in JSON, a page, or nothing of ours."""
    return _kind(content[:GLANCED_AT_OCTETS]) or _kind(content[:LOOKED_AT_OCTETS])


def _kind(head: bytes) -> Kind:
    text = _decoded(head).lstrip("\ufeff \t\r\n")
    if text.startswith("{"):
        return "json" if "jsonfeed.org" in text[:4096] or '"items"' in text else ""
    plain = _ASIDE.sub("", text)
    first = _OPENING.search(plain)
    if first and first[1].rpartition(":")[2].lower() in _FEEDS:
        return "xml"
    return "page" if _PAGE.search(text) or (first and "<" in text[:512]) else ""


def _decoded(head: bytes) -> str:
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")
    return head.decode(encoding, "replace")

"""The words of a mail that a person wrote: its Subject and the beginning of its text.

Law: linear in a mail's first 256 KB, whatever is in it; what cannot be read is empty. (The standard parser takes
seconds for some Content-Types, and this runs in the writer's thread.)
"""

from __future__ import annotations

import html
import quopri
import re
from collections.abc import Iterator

from mail.boundaries import boundary_of, pieces
from mail.headers import Headers, split_message
from mail.transfer import decode_base64, decode_transfer

LOOKED_AT_OCTETS = 262_144
PARTS_MAX = 20
DEPTH_MAX = 4  # mixed, related, alternative, and one more
CHARACTERS_MAX = 32_768
HEADER_CHARACTERS_MAX = 2_000

_WORD = re.compile(r"=\?([A-Za-z0-9-]{1,30})(?:\*[A-Za-z-]{1,20})?\?([bBqQ])\?([!->@-~]{0,200})\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)[ \t]+(?==\?)")  # RFC 2047 6.2: not shown
_CHARSET = re.compile(r'charset\s*=\s*"?([A-Za-z0-9_-]{1,30})', re.IGNORECASE)
_CHARSETS = frozenset(
    {"utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "koi8-r", "gb18030", "shift_jis"}
)
_UNSAID = re.compile(r"<(style|script|head)\b[^<>]*>", re.IGNORECASE)
_LINE_TAG = re.compile(r"<(?:br|p|div|li|tr|h[1-6])\b[^<>]*>", re.IGNORECASE)
_HREF = re.compile(r"""<a\b[^<>]{0,500}?\bhref\s*=\s*["']?(https?:[^\s"'<>]{1,2000})""", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")


def subject_of(headers: Headers) -> str:
    """Return the Subject, decoded (RFC 2047)."""
    raw = headers.get("subject")[:HEADER_CHARACTERS_MAX]
    return _WORD.sub(_decoded_word, _BETWEEN_WORDS.sub(r"\1", raw))


def text_of(content: bytes) -> str:
    """Return a mail's own text: of its first text/plain part, or else of its first text/html part."""
    found: dict[str, str] = {}
    for kind, text in _texts(content[:LOOKED_AT_OCTETS], 0, [PARTS_MAX]):
        found.setdefault(kind, text[:CHARACTERS_MAX])
    return found["text/plain"] if found.get("text/plain", "").strip() else words_of_html(found.get("text/html", ""))


def words_of_html(markup: str) -> str:
    """Return HTML as lines of text; the addresses of its links follow, since a link may show another text."""
    said = _TAG.sub(" ", _LINE_TAG.sub("\n", _without_unsaid(markup)))
    links = [link for link in _HREF.findall(markup) if link not in said]
    return html.unescape("\n".join([said, *links]))


def _without_unsaid(markup: str) -> str:
    """Leave out what is between such tags; what is never closed goes to the end (one pass, so linear)."""
    kept: list[str] = []
    at, lower = 0, markup.lower()
    while opening := _UNSAID.search(markup, at):
        kept.append(markup[at : opening.start()])
        at = lower.find("</" + opening[1].lower(), opening.end())
        if at < 0:
            return " ".join(kept)
    return " ".join([*kept, markup[at:]])


def _texts(content: bytes, depth: int, left: list[int]) -> Iterator[tuple[str, str]]:
    head, body = split_message(content)
    headers = Headers.parse(head)
    kind = headers.get("content-type", "text/plain")[:HEADER_CHARACTERS_MAX]
    name = kind.partition(";")[0].strip().lower()
    boundary = boundary_of(kind)
    if name.startswith("multipart/") and boundary and depth < DEPTH_MAX:
        for piece in pieces(body, boundary, PARTS_MAX):
            left[0] -= 1
            if left[0] < 0:
                return
            yield from _texts(piece, depth + 1, left)
    elif name in ("text/plain", "text/html") and not headers.get("content-disposition").lower().startswith("attach"):
        charset = _CHARSET.search(kind)
        yield name, _decoded(body, headers.get("content-transfer-encoding"), charset[1] if charset else "utf-8")


def _decoded(body: bytes, encoding: str, charset: str) -> str:
    known = charset.lower() if charset.lower() in _CHARSETS else "utf-8"
    return decode_transfer(body, encoding).decode(known, "replace")


def _decoded_word(match: re.Match[str]) -> str:
    charset, encoding, said = match[1].lower(), match[2].lower(), match[3].encode()
    octets = decode_base64(said) if encoding == "b" else quopri.decodestring(said.replace(b"_", b" "))
    return octets.decode(charset if charset in _CHARSETS else "utf-8", "replace")

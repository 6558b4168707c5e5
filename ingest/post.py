"""An item as a message.

Law: the same item of the same source is the same Message-ID for ever, made of neither its address nor its time.
Nothing of a feed reaches a header but through `line_of`: no control character, and never more than its share.
"""

from __future__ import annotations

import binascii
import html
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote

from ingest.items import Attachment, Item
from mail.headers import header_line

TITLE_OCTETS_MAX = 300  # as a header, encoded, it stays under the 998 octets of RFC 5322 2.1.1
NAME_OCTETS_MAX = 120
LINK_OCTETS_MAX = 900
NAME_BITS = 2**48 - 1  # an item's name is a key of 48 bits, with a sign
WORD_OCTETS = 45  # RFC 2047 2: an encoded-word has at most 75 characters
OLDEST = datetime(1990, 1, 1, tzinfo=UTC).timestamp()  # there was no web before; a feed that says so errs

_UNSEEMLY = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+\Z")


def message_id(item: int, source: str, domain: str) -> str:
    return f"<{item & NAME_BITS:012x}.{source}@reflectors.{domain}>"


def post(item: Item, name: int, *, source: str, address: str, title: str, domain: str, now: float) -> bytes:
    """Return the message of an item. `address`: the source's reflector, as the world knows it."""
    author = line_of(item.author, NAME_OCTETS_MAX)
    feed = line_of(title, NAME_OCTETS_MAX) or source
    link = web_link(item.link)
    subject = line_of(item.title, TITLE_OCTETS_MAX) or _opening(item.text) or f"A post of {feed}"
    lines = [
        ("From", f"{phrase(f'{author} via {feed}' if author and author != feed else feed)} <{address}>"),
        ("To", address),
        ("Subject", unstructured(subject)),
        ("Date", mail_date(item.date, now)),
        ("Message-ID", message_id(name, source, domain)),
        ("Heliograph-Authenticated", source),
        *([("Archived-At", f"<{link}>")] if link else []),
    ]
    attachments = [(web_link(each.url), each) for each in item.attachments]
    return alternative(
        lines,
        _text(item, link, [pair for pair in attachments if pair[0]]),
        _html(item, subject, link, [pair for pair in attachments if pair[0]]),
        boundary=f"=_{name & NAME_BITS:012x}",
    )


def alternative(lines: list[tuple[str, str]], text: str, markup: str, boundary: str) -> bytes:
    """Write a multipart/alternative message (RFC 2046 5.1.4). Both parts are encoded, so no line of theirs can be
    the boundary: it holds "=_", which neither encoding yields (RFC 2045 6.7)."""
    head = [*lines, ("MIME-Version", "1.0"), ("Content-Type", f'multipart/alternative; boundary="{boundary}"')]
    edge = f"--{boundary}".encode()
    parts = (part("text/plain", text), part("text/html", markup))
    return b"".join(
        [
            *(header_line(name, value) for name, value in head),
            b"\r\n",
            *(edge + b"\r\n" + each + b"\r\n" for each in parts),
            edge + b"--\r\n",
        ]
    )


def part(kind: str, text: str) -> bytes:
    """Write one text part in whichever encoding is shorter; CRLF throughout."""
    content = "\r\n".join([*text.encode("utf-8", "replace").decode().splitlines(), ""]).encode()
    quoted, packed = binascii.b2a_qp(content), _base64(content)
    encoding, body = ("quoted-printable", quoted) if len(quoted) <= len(packed) else ("base64", packed)
    head = f"Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + body


def line_of(text: str, octets_max: int) -> str:
    """Make a stranger's text fit for one line: single spaces, no control or direction character, cut at a limit."""
    plain = " ".join(_UNSEEMLY.sub(" ", text).split())
    if len(plain.encode()) <= octets_max:
        return plain
    return plain.encode()[: octets_max - 3].decode(errors="ignore").rstrip() + "…"


def phrase(name: str) -> str:
    """Write a display name (RFC 5322 3.2.5): plain, quoted, or in encoded-words where it is not ASCII."""
    if _ATOMS.match(name) and "=?" not in name:
        return name
    if name.isascii() and "=?" not in name:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return _encoded_words(name)


def unstructured(text: str) -> str:
    """Write a Subject: as it is, or in encoded-words; what looks like one is encoded, so that it stays what it is."""
    return text if text.isascii() and "=?" not in text else _encoded_words(text)


def mail_date(date: float | None, now: float) -> str:
    """Write an item's date, never in the future; now, where it has none that can be."""
    at = now if date is None or date < OLDEST else min(date, now)
    return format_datetime(datetime.fromtimestamp(int(at), UTC))


def web_link(url: str) -> str:
    """Return a web address fit for a header, or "" for anything else."""
    if not url.lower().startswith(("http://", "https://")):
        return ""
    written = quote(_UNSEEMLY.sub("", url), safe="%/:?#[]@!$&'()*+,;=-._~")
    return written if len(written) <= LINK_OCTETS_MAX else ""


def _encoded_words(text: str) -> str:
    """RFC 2047 5, 6.2: no character is split between words, and the space between two is not shown; it is cut after
    a space where that can be, for readers that show it all the same."""
    words: list[bytes] = []
    while text:
        end = _fitting(text)
        words.append(text[:end].encode())
        text = text[end:]
    return " ".join(f"=?utf-8?B?{binascii.b2a_base64(word, newline=False).decode()}?=" for word in words)


def _fitting(text: str) -> int:
    """Return how many characters make one encoded-word."""
    end = size = 0
    while end < len(text) and (size := size + len(text[end].encode())) <= WORD_OCTETS:
        end += 1
    space = text.rfind(" ", 0, end) + 1
    return space if end < len(text) and space > end // 2 else end


def _base64(content: bytes) -> bytes:
    step = 57  # RFC 2045 6.8: lines of 76 characters
    rows = (binascii.b2a_base64(content[at : at + step], newline=False) for at in range(0, len(content), step))
    return b"".join(row + b"\r\n" for row in rows)


def _opening(text: str) -> str:
    """A title for what has none: how it begins."""
    return line_of(text[:400], 72)


def _text(item: Item, link: str, attachments: list[tuple[str, Attachment]]) -> str:
    below = [f"{_described(each)}: {url}" for url, each in attachments]
    if link:
        below.append(link)
    return "\n\n".join(filter(None, [item.text, "\n".join(below)])) or "(nothing)"


def _html(item: Item, subject: str, link: str, attachments: list[tuple[str, Attachment]]) -> str:
    rows = [
        f'<p>{html.escape(_described(each))}: <a href="{html.escape(url)}">{html.escape(url)}</a></p>'
        for url, each in attachments
    ]
    if link:
        rows.append(f'<p><a href="{html.escape(link)}">{html.escape(link)}</a></p>')
    return (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{html.escape(subject)}</title></head>\n'
        f"<body>\n{item.html}\n" + "\n".join(rows) + "\n</body></html>"
    )


def _described(attachment: Attachment) -> str:
    kind = line_of(attachment.kind, 60).partition("/")[0].capitalize()
    name = kind if kind in ("Audio", "Video", "Image") else "Attachment"
    return f"{name} ({attachment.octets / 1e6:.1f} MB)" if attachment.octets >= 100_000 else name

"""An item as a message.

Law: the same item of the same source is the same Message-ID for ever, made of neither its address nor its time.
Nothing of a feed reaches a header but through `line_of`: no control character, and never more than its share.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from dataclasses import dataclass

from directory.names import FabricNames
from ingest.header_text import line_of, mail_date, phrase, unstructured, web_link
from ingest.items import Item
from ingest.letter import letter
from mail.headers import header_line

TITLE_OCTETS_MAX = 300  # as a header, encoded, it stays under the 998 octets of RFC 5322 2.1.1
NAME_OCTETS_MAX = 120
NAME_BITS = 2**48 - 1  # an item's name is a key of 48 bits, with a sign

_NOTE_MARK = re.compile(r" \[[0-9]+\]|^>+", re.MULTILINE)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,3}\Z")


def message_id(name: str, source: str, domain: str) -> str:
    return f"<{name}.{source}@reflectors.{domain}>"


@dataclass(frozen=True, slots=True)
class Voice:
    """As whom a feed writes: its source, its title. `edits_of`: the source whose posts these ones reply to; `owner`: in
    whose name it posts, if not in its own."""

    source: str
    title: str
    names: FabricNames
    edits_of: str = ""
    owner: str = ""

    def head(self, author: str, subject: str, date: float | None, name: str, now: float) -> list[tuple[str, str]]:
        """Return the fields of a post. `name`: the left side of its Message-ID."""
        feed = line_of(self.title, NAME_OCTETS_MAX) or self.source
        address = self.names.reflector(self.source)
        return [
            ("From", f"{phrase(f'{author} via {feed}' if author and author != feed else feed)} <{address}>"),
            ("To", address),
            ("Subject", unstructured(subject)),
            ("Date", mail_date(date, now)),
            ("Message-ID", message_id(name, self.source, self.names.domain)),
            ("Auto-Submitted", "auto-generated"),
            ("Heliograph-Authenticated", self.owner or self.source),
        ]


def post(item: Item, name: int, voice: Voice, now: float) -> bytes:
    """Return the message of an item that is called `name`."""
    link, called = web_link(item.link), f"{name & NAME_BITS:012x}"
    subject = (
        line_of(item.title, TITLE_OCTETS_MAX)
        or _opening(item.text)
        or f"A post of {line_of(voice.title, NAME_OCTETS_MAX) or voice.source}"
    )
    more = [("Archived-At", f"<{link}>")] if link else []
    if language := _language(item.language):
        more.append(("Content-Language", language))
    if voice.edits_of:
        about = message_id(called, voice.edits_of, voice.names.domain)
        more += [("In-Reply-To", about), ("References", about)]
        called += (
            "." + hashlib.blake2b(f"{item.title}\0{item.text}".encode("utf-8", "replace"), digest_size=6).hexdigest()
        )
    said = f"Edited: {subject}" if voice.edits_of else subject
    head = voice.head(line_of(item.author, NAME_OCTETS_MAX), said, now if voice.edits_of else item.date, called, now)
    text, markup = letter(item, line_of(item.title, TITLE_OCTETS_MAX), voice.title, link, language)
    return alternative([*head, *more], text, markup, boundary=f"=_{called}")


def notice(voice: Voice, subject: str, text: str, now: float) -> bytes:
    """Return a message of ours to a feed's followers; on one day, the same words are the same message."""
    said = f"{subject}\0{text}\0{now // 86_400}".encode("utf-8", "replace")
    name = f"notice.{hashlib.blake2b(said, digest_size=6).hexdigest()}"
    fields = [*voice.head("", line_of(subject, TITLE_OCTETS_MAX), now, name, now), ("MIME-Version", "1.0")]
    return b"".join(header_line(*field) for field in fields) + part("text/plain", text)


def alternative(lines: list[tuple[str, str]], text: str, markup: str, boundary: str) -> bytes:
    """Write a multipart/alternative message (RFC 2046 5.1.4). Both parts are encoded, so no line of theirs can be
    the boundary: it holds "=_", which neither encoding yields (RFC 2045 6.7)."""
    head = [*lines, ("MIME-Version", "1.0"), ("Content-Type", f'multipart/alternative; boundary="{boundary}"')]
    edge = f"--{boundary}".encode()
    parts = (part("text/plain; format=flowed", text), part("text/html", markup))
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
    quoted, packed_octets = binascii.b2a_qp(content), -(-len(content) // 57) * 78  # lines of 76 characters
    short = len(quoted) <= packed_octets
    encoding, body = ("quoted-printable", quoted) if short else ("base64", _base64(content))
    head = f"Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + body


def _base64(content: bytes) -> bytes:
    step = 57  # RFC 2045 6.8: lines of 76 characters
    rows = (binascii.b2a_base64(content[at : at + step], newline=False) for at in range(0, len(content), step))
    return b"".join(row + b"\r\n" for row in rows)


def _opening(text: str) -> str:
    """A title for what has none: how it begins."""
    return line_of(_NOTE_MARK.sub("", text[:400]), 72)


def _language(said: str) -> str:
    """A language tag (RFC 5646), or ""."""
    return said.replace("_", "-") if _LANGUAGE.match(said) else ""

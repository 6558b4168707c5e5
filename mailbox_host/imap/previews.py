"""The first words of a message, for a client's list of messages (RFC 8970).

Law: a preview is made of the beginning of a message alone, once, and kept with the body; work and memory for each are
bounded, whatever its size and its markup.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence

from mail.transfer import decode_transfer
from mailbox_host import header_cuts
from mailbox_host.imap.decoding import decode_charset
from mailbox_host.imap.responses import literal, string
from mailbox_host.mime import Part, scan
from store import Bodies, Reader, Transaction

PREVIEW = "PREVIEW"
LAZY = "PREVIEW (LAZY)"  # only what is kept already: the client asks again when it has time (RFC 8970 3.1)

KIND = 1000  # among the cuts that are kept
CHARACTERS_MAX = 200  # RFC 8970 3.2
BEGINNING_OCTETS = 128 * 1024  # of a message; newsletters put 60 KB of style sheet before their first word
AT_ONCE = 20  # beginnings held: 2.5 MB

_TAG = re.compile(r"<(/?[A-Za-z!?][^<>]*)>?")
_NAME = re.compile(r"/?[A-Za-z0-9!?]*")
_WITHIN_WORDS = frozenset("a b big em font i s small span strong sub sup u".split())
_HIDDEN = frozenset({"head", "script", "style", "title"})
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u034f\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]+"
)  # controls, fillers


def kept_previews(reader: Reader, bodies: Sequence[int]) -> list[bytes | None]:
    return header_cuts.kept_cuts(reader, bodies, KIND)


def previews_so_far(reader: Reader, bodies: Sequence[int]) -> list[bytes | None]:
    return [found or b"NIL" for found in kept_previews(reader, bodies)]


def made_previews(reader: Reader, bodies: Sequence[int]) -> dict[int, bytes]:
    """Make previews, as they are sent. A body that is gone is left out."""
    made: dict[int, bytes] = {}
    for start in range(0, len(bodies), AT_ONCE):
        beginnings = Bodies.read_beginnings(reader, bodies[start : start + AT_ONCE], BEGINNING_OCTETS)
        made |= {body: _written(preview(content)) for body, content in beginnings.items()}
    return made


def keep_previews(tx: Transaction, made: Mapping[int, bytes]) -> None:
    header_cuts.keep_cuts(tx, made, KIND)


def preview(content: bytes) -> str:
    """The first words of a message of which this is the beginning: of its plain text, or of its HTML."""
    parts = [part for part in _shown_parts(scan(content)) if part.type == "text"]
    for kind in ("plain", "html"):
        for part in parts:
            if part.subtype == kind and (words := _words(part, content)):
                return words
    return ""


def _shown_parts(message: Part) -> Iterator[Part]:
    """The parts that are no attachments, nor within a message that is one."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        if not part.fields.get(b"content-disposition", b"").strip().lower().startswith(b"attachment"):
            yield part
            waiting += reversed(part.children)


def _words(part: Part, content: bytes) -> str:
    text = decode_charset(decode_transfer(part.body(content), part.encoding), part.charset)
    if part.subtype == "html":
        text = html.unescape("".join(_texts(text)))
    return " ".join(_UNSEEN.sub(" ", text).split())[:CHARACTERS_MAX].strip("\ufffd ")


def _texts(markup: str) -> Iterator[str]:
    """What stands between tags, but for what is not shown. Each character is looked at once."""
    hidden = ""
    pieces = _TAG.split(_without_comments(markup))
    for text, tag in zip(pieces[::2], ["", *pieces[1::2]], strict=True):
        match = _NAME.match(tag)
        name = match[0].lower() if match else ""
        if not hidden and name in _HIDDEN:
            hidden = name
        elif name in ("/" + hidden, "body"):
            hidden = ""
        if not hidden:
            yield text if name.lstrip("/") in _WITHIN_WORDS else " " + text


def _without_comments(markup: str) -> str:
    kept = []
    at = 0
    while (start := markup.find("<!--", at)) >= 0:
        kept.append(markup[at:start])
        end = markup.find("-->", start)
        if end < 0:
            return "".join(kept)
        at = end + 3
    return "".join([*kept, markup[at:]])


def _written(text: str) -> bytes:
    octets = text.encode("utf-8", "replace")
    return string(octets) if text.isascii() else literal(octets)

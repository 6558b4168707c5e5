"""BODY and BODYSTRUCTURE (RFC 3501 7.4.2).

Law: what is written is always well-formed: a multipart has a part, a message an envelope, a text its lines.
"""

from __future__ import annotations

from mailbox_host.envelope import envelope
from mailbox_host.media import Parameters, read_disposition
from mailbox_host.part import Part, transfer_encoding
from mailbox_host.wire import NIL, listed, nstring, string

LANGUAGES_MAX = 50  # in Content-Language

_EMPTY_PART = Part(0, 0, 0)


def structure(part: Part, extended: bool) -> bytes:
    """Write BODY, or with its extension data BODYSTRUCTURE. The tree is at most LEVELS_MAX deep."""
    items = _multipart(part, extended) if part.is_multipart else _single(part, extended)
    return listed(items)


def _multipart(part: Part, extended: bool) -> list[bytes]:
    # body-type-mpart = 1*body: an empty multipart shows one empty text
    children = b"".join(structure(child, extended) for child in part.children or [_EMPTY_PART])
    items = [children, string(part.media.subtype)]
    if extended:
        items += [_parameters(part.media.parameters), *_disposition_language_location(part)]
    return items


def _single(part: Part, extended: bool) -> list[bytes]:
    media, fields = part.media, part.fields
    parameters = media.parameters
    is_text = media.type.lower() == b"text"
    if is_text and not media.parameter(b"charset"):
        parameters = (*parameters, (b"charset", b"us-ascii"))  # RFC 2045 5.2
    items = [
        string(media.type),
        string(media.subtype),
        _parameters(parameters),
        nstring(fields.get(b"content-id")),
        nstring(fields.get(b"content-description")),
        string(transfer_encoding(part)),
        b"%d" % (part.body_end - part.header_end),
    ]
    if is_text:
        items.append(b"%d" % part.lines)
    elif media.type.lower() == b"message" and media.subtype.lower() == b"rfc822":
        inner = part.message or _EMPTY_PART  # none where it is nested too deep to be looked into
        items += [envelope(inner), structure(inner, extended), b"%d" % part.lines]
    if extended:
        items += [nstring(fields.get(b"content-md5")), *_disposition_language_location(part)]
    return items


def _disposition_language_location(part: Part) -> list[bytes]:
    disposition = read_disposition(part.fields.get(b"content-disposition", b""))
    shown = listed((string(disposition[0]), _parameters(disposition[1]))) if disposition else NIL
    words = part.fields.get(b"content-language", b"").replace(b",", b" ").split()[:LANGUAGES_MAX]
    location = b"".join(part.fields.get(b"content-location", b"").split())  # RFC 2557 4.4.2: folded, it is one URI
    return [shown, listed(map(string, words)) if words else NIL, nstring(location or None)]


def _parameters(parameters: Parameters) -> bytes:
    if not parameters:
        return NIL
    return listed([string(piece) for pair in parameters for piece in pair])

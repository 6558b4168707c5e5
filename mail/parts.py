"""The parts of a mail that are no parts of others, unpacked: what is attached to it.

Law: bounded in depth, number and octets, and it never raises; what cannot be unpacked is empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mail.boundaries import boundary_of, pieces
from mail.headers import Headers, split_message
from mail.transfer import decode_transfer

PARTS_MAX = 50
DEPTH_MAX = 5
FIELD_CHARACTERS_MAX = 2_000

_NAME = re.compile(r'\b(?:file)?name\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """`kind`: its media type in lower case; `name`: its file's, "" for none; `cut`: there is more of it."""

    kind: str
    name: str
    content: bytes
    cut: bool = False


def parts_of(content: bytes, octets_max: int) -> Iterator[Part]:
    """Return a mail's parts in their order, each cut at so many octets (as they are packed)."""
    return _parts(content, octets_max, 0, [PARTS_MAX])


def _parts(content: bytes, octets_max: int, depth: int, left: list[int]) -> Iterator[Part]:
    head, body = split_message(content)
    headers = Headers.parse(head)
    said = headers.get("content-type", "text/plain")[:FIELD_CHARACTERS_MAX]
    kind, boundary = said.partition(";")[0].strip().lower(), boundary_of(said)
    if not (kind.startswith("multipart/") and boundary):
        name = _NAME.search(headers.get("content-disposition")[:FIELD_CHARACTERS_MAX]) or _NAME.search(said)
        encoding = headers.get("content-transfer-encoding")
        content, cut = decode_transfer(body[:octets_max], encoding), len(body) > octets_max
        yield Part(kind, (name[1] or name[2]) if name else "", content, cut)
        return
    for piece in pieces(body, boundary, PARTS_MAX) if depth < DEPTH_MAX else ():
        left[0] -= 1
        if left[0] < 0:
            return
        yield from _parts(piece, octets_max, depth + 1, left)

"""Followers as text: how the lists of a tree hand them to each other, and the digest by which they agree.

Law: one line per follower, ``eve@pen.test 17 3 News``: who, the first post, the generation, the folder; who and folder
percent-encoded (RFC 3986 2.1). A follower has one line, and a line one meaning: the digest is of the lines.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote

ROWS_MAX = 1000  # in one message: some 40 KB, and 20 ms of the writer's time at the other end
LINE_OCTETS_MAX = 998  # RFC 5321 4.5.3.1.6
NOTHING = "0" * 64  # the digest of no rows

_LINE = re.compile(r"([!-~]{1,500}) (0|[1-9][0-9]{0,17}) (0|[1-9][0-9]{0,17}) ([!-~]{1,450})\Z")
_SAFE = "@+/._-=!#$&'*?^`{|}~"


@dataclass(frozen=True, slots=True)
class Row:
    """An open interval. `who`: an address, or an entity of this fabric."""

    who: str
    from_post: int
    generation: int
    folder: str = "INBOX"


def write_row(row: Row) -> str:
    return f"{quote(row.who, safe=_SAFE)} {row.from_post} {row.generation} {quote(row.folder, safe='')}"


def write_rows(rows: Iterable[Row]) -> str:
    return "".join(f"{write_row(row)}\r\n" for row in rows)


def read_rows(body: bytes) -> list[Row]:
    """Read a body; ValueError for anything that is not such lines, or too many."""
    lines = body.decode("ascii").split("\r\n")
    if lines.pop() or len(lines) > ROWS_MAX:
        raise ValueError(f"not {ROWS_MAX} rows at most, each with its line end")
    rows = [_read(line) for line in lines]
    if len({row.who for row in rows}) < len(rows):
        raise ValueError("a follower twice")
    return rows


def digest_of(rows: Iterable[Row]) -> str:
    """XOR of the SHA-256 of each line: the same in any order."""
    total = 0
    for row in rows:
        total ^= int.from_bytes(hashlib.sha256(write_row(row).encode()).digest())
    return f"{total:064x}"


def join(*digests: str) -> str:
    """The digest of several lots of rows that have no row in common."""
    total = 0
    for digest in digests:
        total ^= int(digest, 16)
    return f"{total:064x}"


def _read(line: str) -> Row:
    match = _LINE.match(line)
    if not match:
        raise ValueError(f"no follower: {line[:60]!r}")
    row = Row(unquote(match[1]), int(match[2]), int(match[3]), unquote(match[4]))
    if write_row(row) != line:
        raise ValueError(f"not written as we write it: {line[:60]!r}")
    return row

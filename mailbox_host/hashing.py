"""The digest of an account's entries, in pieces: what was hashed while the account is served is not hashed again when
it is sealed, however large it is.

Law: a piece is the entries of a folder in a range of UIDs. It is hashed anew if an entry in it has changed or gone
since, by the folder's modseq, or if the taker put something into it. With a memory or without, the digest is the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from store import Reader, Transaction

Source = Reader | Transaction
Rows = Callable[[Source, int, int, int], list[list[Any]]]  # of a folder, with lowest <= UID < end

PIECE_UIDS = 4_096  # some 20 ms of hashing


@dataclass(slots=True)
class Folder:
    """`upto`: the modseq up to which its pieces are known."""

    upto: int = 0
    pieces: dict[int, bytes] = field(default_factory=dict)
    stale: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Hashed:
    """What is remembered of an account, by UIDVALIDITY."""

    folders: dict[int, Folder] = field(default_factory=dict)

    def touch(self, part: dict[str, Any]) -> None:
        """A part was put in here (carrying.py)."""
        folder = self.folders.get(part["folder"]) if part["part"] in ("entries", "gone") else None
        if folder is None:
            return
        if part["part"] == "entries":
            folder.stale.update(row[0] // PIECE_UIDS for row in part["rows"])
        else:
            folder.stale.update(uid // PIECE_UIDS for _, uid in part["expunged"])
            if part.get("all") is not None:
                folder.stale.update(folder.pieces)


def pieces_of(
    source: Source, rows_of: Rows, known: Folder, folder: int, modseq: int, forgotten: int
) -> Iterable[bytes]:
    """Return the digests of a folder's pieces, in order. `modseq`, `forgotten`: of the folder, read before."""
    for piece in _changed(source, known, folder, forgotten):
        rows = rows_of(source, folder, piece * PIECE_UIDS, (piece + 1) * PIECE_UIDS)
        known.pieces.pop(piece, None)
        if rows:
            known.pieces[piece] = hashlib.sha256(repr(rows).encode("utf-8", "surrogatepass")).digest()
    known.upto = modseq
    known.stale.clear()
    return [known.pieces[piece] for piece in sorted(known.pieces)]


def _changed(source: Source, known: Folder, folder: int, forgotten: int) -> set[int]:
    """Which pieces are to be hashed. What a folder has forgotten may have gone from anywhere."""
    if not known.upto or forgotten > known.upto:
        known.stale.update(known.pieces)
        every = source.all(f"SELECT DISTINCT uid / {PIECE_UIDS} FROM entry WHERE folder = ?", (folder,))
        return known.stale | {piece for (piece,) in every}
    since = source.all(
        f"SELECT uid / {PIECE_UIDS} FROM entry WHERE folder = ?1 AND modseq > ?2"
        f" UNION SELECT uid / {PIECE_UIDS} FROM expunged WHERE folder = ?1 AND modseq > ?2",
        (folder, known.upto),
    )
    return known.stale | {piece for (piece,) in since}

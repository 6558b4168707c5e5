"""Flags and keywords: STORE.

Law: one call is one modseq, and only what it really changed carries it (RFC 7162 3.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from mailbox_host.entry import Entry, by_uids
from mailbox_host.folder_names import FolderError
from store import Transaction

KEYWORDS_MAX = 64  # on one message; clients use a handful
KEYWORD_OCTETS_MAX = 255

Operation = Literal["+", "-", "="]


class TooManyKeywords(FolderError):
    """A message would carry more keywords than are kept, or one too long."""


def keywords_text(words: Iterable[str]) -> str:
    """Write keywords as they are stored: each once whatever its case (RFC 3501 2.3.2), in order."""
    kept = {word.lower(): word for word in sorted(words, reverse=True)}
    if len(kept) > KEYWORDS_MAX or any(len(word) > KEYWORD_OCTETS_MAX for word in kept):
        raise TooManyKeywords(f"at most {KEYWORDS_MAX} keywords of {KEYWORD_OCTETS_MAX} octets on one message")
    return " ".join(sorted(kept.values()))


def store_flags(
    tx: Transaction,
    folder_id: int,
    uids: Iterable[int],
    op: Operation,
    flags: int,
    keywords: frozenset[str],
    now: float,
) -> list[Entry]:
    """Add, take away or set flags; return the entries as they now are, those that changed with a new modseq."""
    before = by_uids(tx, folder_id, uids)
    after = [_changed(entry, op, flags, keywords) for entry in before]
    different = [new for old, new in zip(before, after, strict=True) if new != old]
    if not different:
        return before
    row = tx.one("UPDATE folder SET modseq = modseq + 1 WHERE id = ? RETURNING modseq", (folder_id,))
    assert row is not None
    modseq = int(row[0])
    tx.executemany(
        "UPDATE entry SET flags = ?, keywords = ?, modseq = ? WHERE folder = ? AND uid = ?",
        [(entry.flags, entry.keywords, modseq, folder_id, entry.uid) for entry in different],
    )
    return [new._replace(modseq=modseq) if new != old else old for old, new in zip(before, after, strict=True)]


def _changed(entry: Entry, op: Operation, flags: int, keywords: frozenset[str]) -> Entry:
    if op == "=":
        return entry._replace(flags=flags, keywords=keywords_text(keywords))
    bits = entry.flags | flags if op == "+" else entry.flags & ~flags
    if not keywords:  # the usual case: no words to sort for 10,000 messages
        return entry if bits == entry.flags else entry._replace(flags=bits)
    named = {word.lower() for word in keywords}
    words = entry.keywords.split()
    if op == "-":
        return entry._replace(flags=bits, keywords=" ".join(word for word in words if word.lower() not in named))
    here = {word.lower() for word in words}
    return entry._replace(
        flags=bits, keywords=keywords_text([*words, *(word for word in keywords if word.lower() not in here)])
    )

"""Flags and keywords: STORE.

Law: one call is one modseq, and only what it really changed carries it (RFC 7162 3.1).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Literal

from mailbox_host.entry import Entry, by_uids
from mailbox_host.folder_names import FolderError
from store import Transaction

KEYWORDS_MAX = 64  # on one message; clients use a handful
KEYWORD_OCTETS_MAX = 255

Operation = Literal["+", "-", "="]

# The usual case, without keywords: no object for each of 10,000 messages. "=" takes the keywords that there are away.
_STORE_BITS = """
    UPDATE entry SET flags = (flags & ?) | ?, keywords = iif(?, '', keywords),
        modseq = (SELECT modseq + 1 FROM folder WHERE id = ?)
    WHERE folder = ? AND uid IN (SELECT value FROM json_each(?))
        AND ((flags & ?) | ? <> flags OR (? AND keywords <> ''))
"""


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
) -> list[Entry]:
    """Add, take away or set flags; return the entries as they now are, those that changed with a new modseq."""
    if keywords:
        return _store_words(tx, folder_id, uids, op, flags, keywords)
    wanted = list(uids)
    keep, add = {"+": (-1, flags), "-": (~flags, 0), "=": (0, flags)}[op]
    values = (keep, add, op == "=", folder_id, folder_id, json.dumps(wanted), keep, add, op == "=")
    if tx.execute(_STORE_BITS, values).rowcount:
        tx.execute("UPDATE folder SET modseq = modseq + 1 WHERE id = ?", (folder_id,))
    return by_uids(tx, folder_id, wanted)


def _store_words(
    tx: Transaction, folder_id: int, uids: Iterable[int], op: Operation, flags: int, keywords: frozenset[str]
) -> list[Entry]:
    before = by_uids(tx, folder_id, uids)
    texts = {text: _words(text, op, keywords) for text in {entry.keywords for entry in before}}  # mostly a few
    after = [entry._replace(flags=_bits(entry, op, flags), keywords=texts[entry.keywords]) for entry in before]
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


def _bits(entry: Entry, op: Operation, flags: int) -> int:
    return {"+": entry.flags | flags, "-": entry.flags & ~flags, "=": flags}[op]


def _words(text: str, op: Operation, keywords: frozenset[str]) -> str:
    if op == "=":
        return keywords_text(keywords)
    words, named = text.split(), {word.lower() for word in keywords}
    if op == "-":
        return " ".join(word for word in words if word.lower() not in named)
    here = {word.lower() for word in words}
    return keywords_text([*words, *(word for word in keywords if word.lower() not in here)])

"""What a host that was lost has of an account, and its heir has not: read out, part by part.

Law: only what lies beyond the gap's beginning is told (gaps.py), all of it, and in the same words as in carrying.py.
The log stays here, so entries were made of it before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailbox_host.carrying import Layout, entry_rows, expunged_since
from mailbox_host.gaps import Gap
from store import Reader, Transaction

Source = Reader | Transaction
Part = dict[str, Any]

SHORT = ("subscription", "had_post", "sift")


def parts(layout: Layout, source: Source, name: str, gap: Gap) -> Iterator[Part]:
    """Read an account's extras: one short part, each folder's changes, then what is new in them, then the end."""
    row = source.one("SELECT id, password FROM account WHERE name = ?", (name,))
    if row is None:
        return
    account, password = row
    known = {validity: (uidnext, modseq) for validity, uidnext, modseq in gap["folders"]}
    sql = "SELECT id, uidvalidity, name, special_use, modseq, forgotten FROM folder WHERE account = ? ORDER BY id"
    folders = source.all(sql, (account,))
    yield _short(layout, source, name, account, password) | {"was": gap["password"]}
    for folder, validity, _, _, modseq, forgotten in folders:
        if validity in known and modseq > known[validity][1]:
            yield _changes(source, name, (folder, validity, forgotten), *known[validity])
    for folder, validity, called, use, _, _ in folders:
        after = known.get(validity, (1, 0))[0] - 1
        while rows := entry_rows(layout, source, folder, after, 0):
            after = rows[-1][0]
            keys = [_key(source, account, row[0], folder) for row in rows]
            yield {"part": "extra", "name": name, "folder": [validity, called, use], "rows": rows, "keys": keys}
    seen = source.all(f"SELECT {layout.of('seen')} FROM seen WHERE account = ?", (account,))
    yield {"part": "end", "name": name, "seen": [list(row) for row in seen]}


def bodies_of(part: Part) -> set[bytes]:
    return {bytes.fromhex(row[1]) for row in part["rows"]} if part["part"] == "extra" else set()


def _key(source: Source, account: int, uid: int, folder: int) -> bytes | None:
    """The key under which a letter came, which is told by its moment (repeats.py)."""
    row = source.one(
        "SELECT s.mail FROM entry e JOIN seen s ON s.at = e.arrival AND s.account = ?"
        " WHERE e.folder = ? AND e.uid = ? AND e.source IS NULL",
        (account, folder, uid),
    )
    return row[0] if row else None


def _short(layout: Layout, source: Source, name: str, account: int, password: str | None) -> Part:
    part: Part = {"part": "short", "name": name, "password": password}
    for table in SHORT:
        rows = source.all(f"SELECT {layout.of(table)} FROM {table} WHERE account = ?", (account,))
        part[table] = [list(row) for row in rows]
    columns = layout.of("follow") + ", (SELECT uidvalidity FROM folder WHERE folder.id = follow.folder)"
    part["follow"] = [list(row) for row in source.all(f"SELECT {columns} FROM follow WHERE account = ?", (account,))]
    return part


def _changes(source: Source, name: str, folder: tuple[int, int, int], uidnext: int, modseq: int) -> Part:
    """Of what both have: which flags are others here, and what went. Where the folder has forgotten some of that, what
    is there."""
    part: Part = {"part": "changed", "name": name, "folder": folder[1], "kept": None}
    flags = "SELECT uid, flags, keywords FROM entry WHERE folder = ? AND uid < ? AND modseq > ? ORDER BY uid"
    part["flags"] = [list(row) for row in source.all(flags, (folder[0], uidnext, modseq))]
    part["gone"] = [uid for _, uid in expunged_since(source, folder[0], modseq) if uid < uidnext]
    if folder[2] > modseq:
        kept = "SELECT uid FROM entry WHERE folder = ? AND uid < ?"
        part["kept"] = [uid for (uid,) in source.all(kept, (folder[0], uidnext))]
    return part

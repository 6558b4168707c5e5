"""Accounts on their way to another host: read out part by part, put in part by part, and compared.

Law: a part says what it is about in words that mean the same everywhere: names, UIDVALIDITYs, UIDs, SHA-256 of
bodies; no row's id leaves the host. Columns are carried as they are named, whichever there are. Whatever changes a
folder raises its modseq (folders.py), so what is above the modseq that was told is all that is new: the new owner is
brought up to date like a client that was away (RFC 7162 3.2.5).

A *unit* is an account, by its name, or a name that an account had here. Its parts: one head (the account's own row
and all that is short), then entries, folder by folder. `Told` is what the sender remembers of a unit that it sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mailbox_host import passing, timeline
from mailbox_host.filing import FILED_AT_ONCE_MAX
from mailbox_host.hashing import Folder, Hashed, pieces_of
from mailbox_host.outward import is_pending, owe_all, put_aside
from store import Bodies, Reader, Transaction

Source = Reader | Transaction
Row = list[Any]

ENTRIES_MAX = 500  # in one part: some 60 KB, some milliseconds of the writer

# What belongs to an account as a whole: its table, what is not carried (ids that mean nothing elsewhere, and the
# account itself), and the order in which it is compared.
SHORT = {
    "subscription": ("name",),
    "follow": ("source", "generation"),
    "had_post": ("source", "post"),
    "seen": ("mail",),
    "sift": ("source",),
    "uid_gap": ("host", "folder"),
    "taken_back": ("host", "folder", "uid"),
}
NOT_CARRIED = {
    "account": ("id", "cursor", "away"),
    "folder": ("id", "account"),
    "entry": ("folder", "account", "body"),
    "subscription": ("account",),
    "follow": ("account", "folder"),
    "had_post": ("account",),
    "seen": ("account",),
    "sift": ("account",),
    "uid_gap": ("account",),
    "taken_back": ("account",),
}


@dataclass(slots=True)
class Told:
    """`head`: the digest of the head that was sent; `folders`: by UIDVALIDITY, up to which modseq."""

    head: bytes = b""
    folders: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns that are carried, by table: two hosts must agree on them before anything is sent."""

    columns: dict[str, list[str]]

    def of(self, table: str) -> str:
        return ", ".join(self.columns[table])


def layout(source: Source) -> Layout:
    """Read it from the database, so that a new column is carried like the others."""
    return Layout({table: _columns(source, table) for table in NOT_CARRIED})


def units(source: Source, is_wanted: Callable[[str], bool]) -> list[str]:
    """Return the names of all accounts, and of former ones, that are wanted."""
    rows = source.all("SELECT name FROM account UNION SELECT name FROM former_account ORDER BY name")
    return [name for (name,) in rows if is_wanted(name)]


def settle(tx: Transaction, names: Iterable[str]) -> bool:
    """Make the entries that are due, for the log stays here; False where there is more than one transaction takes."""
    made = 0
    for name in names:
        made += timeline.catch_up(tx, name)
        # "behind" is asked too: who chooses by words gets fewer at once.
        if made >= FILED_AT_ONCE_MAX or timeline.behind(tx, name) or is_pending(tx, name):
            return False
    return True


def leave(tx: Transaction, names: list[str], host: str) -> None:
    """The accounts go to a host: from now on they are not here, and posts that still come here for them are passed on
    to its leaves (passing.py)."""
    passing.leave(tx, names, host)
    aside(tx, names)


def aside(tx: Transaction, names: list[str]) -> None:
    """What is here of the accounts is a copy."""
    tx.executemany("UPDATE account SET away = 1 WHERE name = ?", [(name,) for name in names])
    for name in names:
        put_aside(tx, name)


def owe(tx: Transaction, names: Iterable[str]) -> None:
    """They go to a host that never heard of them: what another server is to have of theirs, it is handed from here."""
    for name in names:
        owe_all(tx, name)


def arrive(tx: Transaction, names: list[str]) -> None:
    """The accounts are here."""
    tx.executemany("UPDATE account SET away = 0 WHERE name = ?", [(name,) for name in names])
    passing.arrive(tx, names)
    owe(tx, names)


# --- out


def parts(layout: Layout, source: Source, name: str, told: Told) -> Iterator[dict[str, Any]]:
    """Read what is new of a unit since it was told, part by part; `told` is brought up to date with each."""
    row = source.one("SELECT id FROM account WHERE name = ?", (name,))
    # Before the head: a folder that is made between the two is told with the next head, and what it holds after that.
    of = "SELECT id, uidvalidity, modseq, forgotten FROM folder WHERE account = ?"
    folders = source.all(of, (row[0],)) if row else []
    head = _head(layout, source, name, row[0] if row else None)
    digest = _digest(head)
    if digest != told.head:
        yield head
        told.head = digest
    grown = [folder for folder in folders if folder[2] > told.folders.get(folder[1], 0)]
    for folder in grown:  # what went away anywhere goes first: a post that was moved is in one folder at a time
        if folder[1] in told.folders:
            yield _gone(source, name, folder, told.folders[folder[1]])
    for folder in grown:
        yield from _entries(layout, source, name, folder, told.folders.get(folder[1], 0))
        told.folders[folder[1]] = folder[2]


def _head(layout: Layout, source: Source, name: str, account: int | None) -> dict[str, Any]:
    former = source.one("SELECT uidvalidity FROM former_account WHERE name = ?", (name,))
    head: dict[str, Any] = {"part": "head", "name": name, "former": former[0] if former else None, "account": None}
    if account is None:
        return head
    own = source.one(f"SELECT {layout.of('account')} FROM account WHERE id = ?", (account,))
    folders = f"SELECT {layout.of('folder')} FROM folder WHERE account = ? ORDER BY uidvalidity"
    head |= {"account": list(own or ()), "folder": [list(row) for row in source.all(folders, (account,))]}
    for table, order in SHORT.items():
        columns = layout.of(table)
        if table == "follow":
            columns += ", (SELECT uidvalidity FROM folder WHERE folder.id = follow.folder)"
        rows = source.all(f"SELECT {columns} FROM {table} WHERE account = ? ORDER BY {', '.join(order)}", (account,))
        head[table] = [list(row) for row in rows]
    return head


def _gone(source: Source, name: str, folder: tuple[int, ...], since: int) -> dict[str, Any]:
    """Which UIDs went since; where the folder has forgotten some of that, which are there."""
    part = {"part": "gone", "name": name, "folder": folder[1], "forgotten": folder[3]}
    if folder[3] > since:
        part["all"] = [uid for (uid,) in source.all("SELECT uid FROM entry WHERE folder = ?", (folder[0],))]
    return part | {"expunged": expunged_since(source, folder[0], since)}


def expunged_since(source: Source, folder: int, since: int) -> list[Row]:
    sql = "SELECT modseq, uid FROM expunged WHERE folder = ? AND modseq > ? ORDER BY modseq, uid"
    return [list(row) for row in source.all(sql, (folder, since))]


def _entries(
    layout: Layout, source: Source, name: str, folder: tuple[int, ...], since: int
) -> Iterator[dict[str, Any]]:
    if not since:  # a stream that broke off may have brought what is gone by now
        gone = _gone(source, name, folder, 0)
        if gone["expunged"] or "all" in gone:
            yield gone
    after = 0
    while rows := entry_rows(layout, source, folder[0], after, since):
        after = rows[-1][0]
        yield {"part": "entries", "name": name, "folder": folder[1], "rows": rows}


def entry_rows(layout: Layout, source: Source, folder: int, after: int, since: int) -> list[Row]:
    """A page of entries: UID, SHA-256 of the body in hex, and what else there is."""
    rows = source.all(
        f"SELECT uid, body, {layout.of('entry')} FROM entry WHERE folder = ? AND uid > ? AND modseq > ?"
        " ORDER BY uid LIMIT ?",
        (folder, after, since, ENTRIES_MAX),
    )
    return _named(source, rows)


def _named(source: Source, rows: list[tuple[Any, ...]]) -> list[Row]:
    digests = Bodies.digests(source, {row[1] for row in rows})
    named = {body: digest.hex() for body, digest in digests.items()}
    return [[row[0], named.get(row[1], ""), *row[2:]] for row in rows]


def bodies_of(part: dict[str, Any]) -> set[bytes]:
    """Return the SHA-256 of the bodies that a part names."""
    return set(map(bytes.fromhex, {row[1] for row in part["rows"]})) if part["part"] == "entries" else set()


# --- and whether both have the same


def digest(layout: Layout, source: Source, name: str, hashed: Hashed | None = None) -> str:
    """Return the digest of all that is carried of a unit; "" where there is none of it. `hashed`: what is remembered of
    the last time."""
    row = source.one("SELECT id FROM account WHERE name = ?", (name,))
    of = "SELECT uidvalidity, id, modseq, forgotten FROM folder WHERE account = ? ORDER BY uidvalidity"
    folders = source.all(of, row) if row else []  # before all else: what changes meanwhile has a higher modseq
    head = _head(layout, source, name, row[0] if row else None)
    if row is None and head["former"] is None:
        return ""
    known = (hashed or Hashed()).folders

    def rows_of(place: Source, folder: int, lowest: int, end: int) -> list[Row]:
        sql = (
            f"SELECT uid, body, {layout.of('entry')} FROM entry WHERE folder = ? AND uid >= ? AND uid < ? ORDER BY uid"
        )
        return _named(place, place.all(sql, (folder, lowest, end)))

    total = hashlib.sha256(_digest(head))
    for validity, *folder in folders:
        for piece in pieces_of(source, rows_of, known.setdefault(validity, Folder()), *folder):
            total.update(piece)
        total.update(_digest(expunged_since(source, folder[0], 0)))
    return total.hexdigest()


def _digest(values: object) -> bytes:
    return hashlib.sha256(repr(values).encode("utf-8", "surrogatepass")).digest()


def _columns(source: Source, table: str) -> list[str]:
    rows = source.all("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,))
    return [name for (name,) in rows if name not in NOT_CARRIED[table] and (table, name) != ("entry", "uid")]

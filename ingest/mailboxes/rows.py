"""The mailboxes that this host looks into: the rows of `far_mailbox` and `far_message`.

Law: how far a folder was read is written in the transaction that posts what was read; a row that went to another host,
or was taken away, is written no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ingest.mailboxes.place import Place
from store import Reader, Transaction

NEVER = 1e12  # `next_due` of what is not looked into
KNOWN_MAX = 5_000  # messages of one mailbox that are known again when its server numbers them anew
PAGE_MAILBOXES = 1_000
STATES = ("read", "failing", "silent", "refused", "suspended")  # failing: its last look came to nothing

Source = Reader | Transaction


class Taken(Exception):
    """There is a source of this name, or a source for this folder, already."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One row; see `tables.py`. Times are seconds since 1970, 0 for never."""

    source: str
    owner: str
    title: str
    place: Place
    secret: bytes
    created_at: float
    next_due: float
    validity: int
    next_uid: int
    read_at: float
    errors: int
    failing_since: float
    standing: str
    last_at: float
    last_answer: str
    last_post_at: float


_COLUMNS = (
    "source, owner, title, host, port, user, folder, secret, created_at, next_due, validity, next_uid, read_at, "
    "errors, failing_since, standing, last_at, last_answer, last_post_at"
)


def add(tx: Transaction, source: str, owner: str, title: str, place: Place, secret: bytes, now: float) -> None:
    """Let a mailbox be looked into, from now on. Raise Taken."""
    known = tx.one(
        "SELECT source FROM far_mailbox WHERE source = ? OR (host, port, user, folder) = (?, ?, ?, ?)",
        (source, place.host, place.port, place.user, place.folder),
    )
    if known:
        raise Taken(known[0])
    tx.execute(
        "INSERT INTO far_mailbox (source, owner, title, host, port, user, folder, secret, created_at, next_due)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (source, owner, title, place.host, place.port, place.user, place.folder, secret, now, now),
    )


def find(source: Source, name: str) -> Mailbox | None:
    row = source.one(f"SELECT {_COLUMNS} FROM far_mailbox WHERE source = ?", (name,))
    return _mailbox(row) if row else None


def page(source: Source, after: str = "", limit: int = PAGE_MAILBOXES) -> list[Mailbox]:
    """Return mailboxes in order of their sources' names, those after one name."""
    rows = source.all(f"SELECT {_COLUMNS} FROM far_mailbox WHERE source > ? ORDER BY source LIMIT ?", (after, limit))
    return [_mailbox(row) for row in rows]


def looked_into(source: Source, limit: int) -> list[Mailbox]:
    """Return those that are not suspended, the longest waiting first."""
    sql = f"SELECT {_COLUMNS} FROM far_mailbox WHERE next_due < {NEVER} ORDER BY next_due LIMIT ?"
    return [_mailbox(row) for row in source.all(sql, (limit,))]


def counts(source: Source) -> dict[str, int]:
    """Return how many mailboxes there are, by state."""
    state = "CASE WHEN standing <> '' THEN standing WHEN errors > 0 THEN 'failing' ELSE 'read' END"
    return dict.fromkeys(STATES, 0) | dict(source.all(f"SELECT {state}, count(*) FROM far_mailbox GROUP BY 1"))


def late(source: Source, before: float) -> int:
    """Return how many should have been looked into before that moment, and were not."""
    row = source.one("SELECT count(*) FROM far_mailbox WHERE next_due < ?", (before,))
    assert row is not None
    count: int = row[0]
    return count


def begin(tx: Transaction, name: str, validity: int, next_uid: int) -> bool:
    """Read a folder from a message on: the numbers before it mean nothing any more. False where the row is gone."""
    sql = "UPDATE far_mailbox SET validity = ?, next_uid = ? WHERE source = ?"
    return tx.execute(sql, (validity, next_uid, name)).rowcount > 0


def passed(tx: Transaction, name: str, next_uid: int) -> bool:
    """All before this number is read. False where the row is gone."""
    return tx.execute("UPDATE far_mailbox SET next_uid = ? WHERE source = ?", (next_uid, name)).rowcount > 0


def is_new(tx: Transaction, name: str, key: bytes, now: float) -> bool:
    """Note a message by its octets; False for one that was posted already."""
    sql = "INSERT OR IGNORE INTO far_message (source, key, at) VALUES (?, ?, ?)"
    fresh = tx.execute(sql, (name, key, now)).rowcount > 0
    if fresh:
        tx.execute("UPDATE far_mailbox SET last_post_at = ? WHERE source = ?", (now, name))
    return fresh


def went_well(tx: Transaction, name: str, said: str, now: float, next_due: float) -> None:
    """Write down a look, and let go of the oldest messages that are known."""
    tx.execute(
        "UPDATE far_mailbox SET errors = 0, failing_since = 0, standing = '', read_at = ?1, last_at = ?1,"
        f" last_answer = ?2, next_due = ?3 WHERE source = ?4 AND next_due < {NEVER}",
        (now, said, next_due, name),
    )
    tx.execute(
        "DELETE FROM far_message WHERE source = ?1 AND at < (SELECT at FROM far_message WHERE source = ?1"
        " ORDER BY at DESC LIMIT 1 OFFSET ?2)",
        (name, KNOWN_MAX - 1),
    )


def failed(tx: Transaction, name: str, said: str, standing: str, now: float, next_due: float) -> None:
    """Write down that a look brought nothing."""
    tx.execute(
        "UPDATE far_mailbox SET errors = errors + 1, standing = ?, last_at = ?, last_answer = ?, next_due = ?,"
        f" failing_since = CASE failing_since WHEN 0 THEN ? ELSE failing_since END"
        f" WHERE source = ? AND next_due < {NEVER}",
        (standing, now, said[:500], next_due, now, name),
    )


def hurry(tx: Transaction, name: str, now: float) -> bool:
    """Look into it now; False where there is none that is looked into."""
    sql = f"UPDATE far_mailbox SET next_due = ? WHERE source = ? AND next_due < {NEVER}"
    return tx.execute(sql, (now, name)).rowcount > 0


def suspend(tx: Transaction, name: str) -> bool:
    sql = f"UPDATE far_mailbox SET standing = 'suspended', next_due = {NEVER} WHERE source = ?"
    return tx.execute(sql, (name,)).rowcount > 0


def resume(tx: Transaction, name: str, now: float) -> bool:
    """Look into a suspended one again; False where there is none."""
    sql = "UPDATE far_mailbox SET standing = '', errors = 0, failing_since = 0, next_due = ? WHERE source = ?"
    return tx.execute(sql + " AND standing = 'suspended'", (now, name)).rowcount > 0


def lock(tx: Transaction, name: str, secret: bytes, now: float) -> bool:
    """Keep another password, and try it at once."""
    due = "CASE standing WHEN 'suspended' THEN next_due ELSE ? END"
    sql = f"UPDATE far_mailbox SET secret = ?, errors = 0, next_due = {due} WHERE source = ?"
    return tx.execute(sql, (secret, now, name)).rowcount > 0


def remove(tx: Transaction, name: str) -> bool:
    """Look into it no more, and forget its password; its source stays. False where there is none."""
    tx.execute("DELETE FROM far_message WHERE source = ?", (name,))
    return tx.execute("DELETE FROM far_mailbox WHERE source = ?", (name,)).rowcount > 0


def remove_all(tx: Transaction, owner: str) -> None:
    """Forget the mailboxes of somebody who is gone."""
    names: Iterable[tuple[str]] = tx.all("SELECT source FROM far_mailbox WHERE owner = ?", (owner,))
    for (name,) in names:
        remove(tx, name)


def _mailbox(row: tuple[object, ...]) -> Mailbox:
    source, owner, title, host, port, user, folder, *rest = row
    place = Place(str(host), int(str(port)), str(user), str(folder))
    return Mailbox(str(source), str(owner), str(title), place, *rest)  # type: ignore[arg-type]

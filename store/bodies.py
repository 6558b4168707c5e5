"""Message bodies, once each, with reference counts kept in the transaction that changes them.

Law: every row anywhere that names a body holds one reference; the body goes with the last of them. The header block
stands apart from the text, so that reading headers touches no text; both stand apart from the count, so that counting
a reference to a large message writes a few octets. An id is never used again: what others remember of a body may
outlive it for a moment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from mail.headers import split_message
from store.database import Migration, Reader
from store.transaction import Transaction

MIGRATION = Migration(
    "store",
    1,
    """
    CREATE TABLE body (
        id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, refs INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE body_content (id INTEGER PRIMARY KEY, header BLOB NOT NULL, text BLOB NOT NULL) STRICT;
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL
    ) STRICT
    """,
)

DIGESTS_AT_ONCE = 100  # looked up by one statement, always of this length: it is prepared once


class Bodies:
    """Keep, share, read and let go of message bodies."""

    @staticmethod
    def keep(tx: Transaction, content: bytes) -> int:
        """Store a message (or find it stored), count one reference, return its id."""
        digest = hashlib.sha256(content).digest()
        row = tx.one(
            "INSERT INTO body (digest, size, refs) VALUES (?, ?, 1)"
            " ON CONFLICT (digest) DO UPDATE SET refs = refs + 1 RETURNING id, refs",
            (digest, len(content)),
        )
        assert row is not None
        if row[1] == 1:  # new here: a stored body has at least one reference already
            tx.execute("INSERT INTO body_content VALUES (?, ?, ?)", (row[0], *split_message(content)))
        return int(row[0])

    @staticmethod
    def share(tx: Transaction, body: int, count: int = 1) -> None:
        """Count more references to a stored body."""
        tx.execute("UPDATE body SET refs = refs + ? WHERE id = ?", (count, body))

    @staticmethod
    def share_many(tx: Transaction, counts: Mapping[int, int]) -> None:
        """Count more references to many bodies: id -> how many."""
        tx.executemany("UPDATE body SET refs = refs + ? WHERE id = ?", [(n, body) for body, n in counts.items()])

    @staticmethod
    def release_many(tx: Transaction, counts: Mapping[int, int]) -> None:
        """Give references to many bodies back."""
        for body, count in counts.items():
            Bodies.release(tx, body, count)

    @staticmethod
    def release(tx: Transaction, body: int, count: int = 1) -> None:
        """Give references back; the body goes with the last one."""
        left = tx.one("UPDATE body SET refs = refs - ? WHERE id = ? RETURNING refs", (count, body))
        if left and left[0] <= 0:
            tx.execute("DELETE FROM body WHERE id = ?", (body,))
            tx.execute("DELETE FROM body_content WHERE id = ?", (body,))

    @staticmethod
    def read(source: Reader | Transaction, body: int) -> bytes:
        """Return a stored message; KeyError where there is none (a reference was lost: a fault of ours)."""
        row = source.one("SELECT header, text FROM body_content WHERE id = ?", (body,))
        if row is None:
            raise KeyError(f"body {body}")
        return bytes(row[0] + row[1])

    @staticmethod
    def read_many(source: Reader | Transaction, bodies: Iterable[int]) -> dict[int, tuple[bytes, bytes]]:
        """Return (header, text) of these messages, as far as they are there."""
        sql = "SELECT id, header, text FROM body_content WHERE id IN (SELECT value FROM json_each(?))"
        return {body: (header, text) for body, header, text in source.all(sql, (json.dumps(list(bodies)),))}

    @staticmethod
    def read_headers(source: Reader | Transaction, bodies: Iterable[int]) -> dict[int, bytes]:
        """Return the header blocks of these messages, as far as they are there."""
        sql = "SELECT id, header FROM body_content WHERE id IN (SELECT value FROM json_each(?))"
        return dict(source.all(sql, (json.dumps(list(bodies)),)))

    @staticmethod
    def read_beginnings(source: Reader | Transaction, bodies: Iterable[int], octets: int) -> dict[int, bytes]:
        """Return these messages, as far as they are there, each up to so many octets of its text."""
        sql = """
            SELECT id, header, coalesce(substr(text, 1, ?), x'') FROM body_content
            WHERE id IN (SELECT value FROM json_each(?))
        """
        return {body: header + text for body, header, text in source.all(sql, (octets, json.dumps(list(bodies))))}

    @staticmethod
    def digests(source: Reader | Transaction, bodies: Iterable[int]) -> dict[int, bytes]:
        """Return the SHA-256 of these messages, as far as they are there: by it another host knows them."""
        sql = "SELECT id, digest FROM body WHERE id IN (SELECT value FROM json_each(?))"
        return dict(source.all(sql, (json.dumps(list(bodies)),)))

    @staticmethod
    def by_digest(source: Reader | Transaction, digests: Iterable[bytes]) -> dict[bytes, int]:
        """Return which of these messages are here."""
        wanted = list(digests)
        found: dict[bytes, int] = {}
        for at in range(0, len(wanted), DIGESTS_AT_ONCE):
            some = wanted[at : at + DIGESTS_AT_ONCE]
            marks = ", ".join("?" * DIGESTS_AT_ONCE)
            sql = f"SELECT digest, id FROM body WHERE digest IN ({marks})"
            found.update(source.all(sql, some + [None] * (DIGESTS_AT_ONCE - len(some))))
        return found

    @staticmethod
    def exists(source: Reader | Transaction, body: int) -> bool:
        return source.one("SELECT 1 FROM body WHERE id = ?", (body,)) is not None

    @staticmethod
    def read_small(source: Reader | Transaction, body: int, octets_max: int) -> bytes | None:
        """Return a stored message, or None where it is larger (and is not read) or is not there."""
        row = source.one(
            "SELECT c.header, c.text FROM body JOIN body_content c USING (id) WHERE id = ? AND size <= ?",
            (body, octets_max),
        )
        return None if row is None else bytes(row[0] + row[1])

    @staticmethod
    def read_header(source: Reader | Transaction, body: int) -> bytes:
        row = source.one("SELECT header FROM body_content WHERE id = ?", (body,))
        if row is None:
            raise KeyError(f"body {body}")
        return bytes(row[0])

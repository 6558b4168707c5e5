"""Which database this is: an id that no other has, and that stays with it.

Law: what is a copy of another time, and goes on from there by itself, gets an id of its own: a standby that holds what
came later must not take it for the same.
"""

from __future__ import annotations

from store.database import Migration, Reader
from store.transaction import Transaction

MIGRATION = Migration(
    "store",
    2,
    "CREATE TABLE identity (id BLOB NOT NULL) STRICT; INSERT INTO identity VALUES (randomblob(16))",
)


def identity(source: Reader | Transaction) -> bytes:
    row = source.one("SELECT id FROM identity")
    assert row is not None
    return bytes(row[0])


def renew(tx: Transaction) -> None:
    """From here on it is another one."""
    tx.execute("UPDATE identity SET id = randomblob(16)")

"""The table of addresses elsewhere from which an owner posts.

Law: a row is there because a mailbox said yes; it goes when the owner says so, or with the source.
"""

from __future__ import annotations

from store import Migration

SENDERS = Migration(
    "reflector",
    7,
    """
    CREATE TABLE sender_address (
        list TEXT NOT NULL, address TEXT NOT NULL, since REAL NOT NULL, PRIMARY KEY (list, address)
    ) STRICT, WITHOUT ROWID
    """,
)

"""The tables of this room.

Law: a `feed` row exists from the transaction that creates its source on; a `seen_item` row from the one that spools its
post. A feed with 40 items costs under 2 KB: keys are of 48 bits, and a `k1` of 1 (which takes no octet) is `item`.

`request`: what people asked for and nobody fetched yet; `direct` forbids looking for another address of the feed, so
that two hosts cannot send a request to and fro. `heard`: how often an address outside was listened to on one day.
"""

from __future__ import annotations

from store import Migration

MIGRATION = Migration(
    "ingest",
    1,
    """
    CREATE TABLE request (
        id INTEGER PRIMARY KEY, url TEXT NOT NULL, domain TEXT NOT NULL, bucket INTEGER NOT NULL,
        subscriber TEXT NOT NULL, folder TEXT NOT NULL, confirmed INTEGER NOT NULL, direct INTEGER NOT NULL,
        asked_by TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, created_at REAL NOT NULL, next_due REAL NOT NULL,
        UNIQUE (url, subscriber)
    ) STRICT;
    CREATE INDEX request_due ON request (next_due);
    CREATE INDEX request_subscriber ON request (subscriber);
    CREATE TABLE feed (
        id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, domain TEXT NOT NULL, bucket INTEGER NOT NULL,
        source TEXT NOT NULL UNIQUE, title TEXT NOT NULL, etag BLOB NOT NULL DEFAULT x'',
        modified BLOB NOT NULL DEFAULT x'', digest BLOB NOT NULL DEFAULT x'', created_at REAL NOT NULL,
        next_due REAL NOT NULL, gap REAL NOT NULL DEFAULT 0, errors INTEGER NOT NULL DEFAULT 0,
        last_at REAL NOT NULL DEFAULT 0, last_answer TEXT NOT NULL DEFAULT '', last_post_at REAL NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX feed_due ON feed (next_due);
    CREATE TABLE seen_item (
        feed INTEGER NOT NULL, item INTEGER NOT NULL, k1 INTEGER, k2 INTEGER, k3 INTEGER, day INTEGER NOT NULL,
        PRIMARY KEY (feed, item)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE heard (
        address TEXT NOT NULL, day INTEGER NOT NULL, requests INTEGER NOT NULL, answers INTEGER NOT NULL,
        PRIMARY KEY (day, address)
    ) STRICT, WITHOUT ROWID
    """,
)

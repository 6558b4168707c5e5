"""The tables of this room.

Law: a `feed` row exists from the transaction that creates its source on, what was seen of it from the one that spools
its posts. A feed with 40 items costs under 2 KB: what was seen is one packed row (`seen.py`).

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

# What was seen becomes one packed row per feed (as JSON, until it is written again). `floor`: the seconds that the
# document asks for; `skip`: the hours and days that it names; `found_at`: where the validators are from, if not from
# `url`. `standing`: '' is polled; 'silent' and 'ended' are looked after once a week; 'asleep' has no followers;
# 'suspended' is not polled, by the operator's word.
# `followers`: -1 where nobody told yet. `edits`: the source of edited items, once somebody asked for it.
PACKED = Migration(
    "ingest",
    2,
    """
    CREATE TABLE feed_seen (feed INTEGER PRIMARY KEY, items BLOB NOT NULL) STRICT;
    INSERT INTO feed_seen SELECT feed, CAST(json_group_array(
        json_array(item, CASE k1 WHEN 1 THEN item ELSE k1 END, k2, k3, day)) AS BLOB) FROM seen_item GROUP BY feed;
    DROP TABLE seen_item;
    ALTER TABLE feed ADD COLUMN floor REAL NOT NULL DEFAULT 0;
    ALTER TABLE feed ADD COLUMN skip INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE feed ADD COLUMN found_at TEXT NOT NULL DEFAULT '';
    ALTER TABLE feed ADD COLUMN standing TEXT NOT NULL DEFAULT '';
    ALTER TABLE feed ADD COLUMN failing_since REAL NOT NULL DEFAULT 0;
    ALTER TABLE feed ADD COLUMN followers INTEGER NOT NULL DEFAULT -1;
    ALTER TABLE feed ADD COLUMN edits TEXT NOT NULL DEFAULT '';
    ALTER TABLE request ADD COLUMN edits INTEGER NOT NULL DEFAULT 0;
    -- A permanent redirect that is not believed yet, and the addresses that feeds once had.
    CREATE TABLE redirected (
        feed INTEGER PRIMARY KEY, url TEXT NOT NULL, hits INTEGER NOT NULL, since REAL NOT NULL
    ) STRICT;
    CREATE TABLE former_url (url TEXT PRIMARY KEY, feed INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    -- Who asked to be left alone is, with all its feeds.
    CREATE TABLE resting (domain TEXT PRIMARY KEY, until REAL NOT NULL) STRICT, WITHOUT ROWID
    """,
)
# Publishers. `application`: a program's source and the fingerprint of its token; `posted_key`: what an Idempotency-Key
# stood for (a digest). `newsletter`: an address of somebody's that she gave away; `source`: what it is followed as;
# `day`, `taken`: how much came today. `request`: the words that the follower's posts must or must not have.
PUBLISHERS = Migration(
    "ingest",
    3,
    """
    CREATE TABLE application (
        name TEXT PRIMARY KEY, owner TEXT NOT NULL, title TEXT NOT NULL, created_at REAL NOT NULL,
        rotated_at REAL NOT NULL, token BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE posted_key (
        application TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (application, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX posted_key_at ON posted_key (at);
    CREATE INDEX posted_key_newest ON posted_key (application, at);
    CREATE TABLE newsletter (
        token TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, folder TEXT NOT NULL,
        created_at REAL NOT NULL, last_at REAL NOT NULL DEFAULT 0, day INTEGER NOT NULL DEFAULT 0,
        taken INTEGER NOT NULL DEFAULT 0, UNIQUE (account, name)
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE request ADD COLUMN only_words TEXT NOT NULL DEFAULT '';
    ALTER TABLE request ADD COLUMN without_words TEXT NOT NULL DEFAULT ''
    """,
)
# Feeds that name a hub (WebSub). `topic`: what the hub calls it; `token`: the secret of our callback's address;
# `lease_until`: 0 where the hub has not asked back; `told_at`: when it last rang; `proven`: it rang before polls found.
PUSHED = Migration(
    "ingest",
    4,
    """
    CREATE TABLE push (
        feed INTEGER PRIMARY KEY, hub TEXT NOT NULL, topic TEXT NOT NULL, token TEXT NOT NULL UNIQUE,
        secret TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, next_due REAL NOT NULL,
        lease_until REAL NOT NULL DEFAULT 0, told_at REAL NOT NULL DEFAULT 0, proven INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX push_due ON push (next_due)
    """,
)
# What is on its way from or to another host (carrying.py).
MOVING = Migration(
    "ingest",
    5,
    "CREATE TABLE packed (unit TEXT PRIMARY KEY, content TEXT NOT NULL) STRICT, WITHOUT ROWID",
)
# Folders of mailboxes elsewhere (mailboxes/). `secret`: a sealed password; `validity`, `next_uid`: how far the folder
# was read (RFC 3501 2.3.1.1), 0 where it was not; `read_at`: when a look last went well. `standing`: '' is looked into;
# 'silent' and 'refused' (the password) are tried once a week; 'suspended' by the operator's word. `far_message`: what
# was posted, by its octets.
FAR = Migration(
    "ingest",
    6,
    """
    CREATE TABLE far_mailbox (
        source TEXT PRIMARY KEY, owner TEXT NOT NULL, title TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT NULL,
        user TEXT NOT NULL, folder TEXT NOT NULL, secret BLOB NOT NULL, created_at REAL NOT NULL,
        next_due REAL NOT NULL, validity INTEGER NOT NULL DEFAULT 0, next_uid INTEGER NOT NULL DEFAULT 0,
        read_at REAL NOT NULL DEFAULT 0, errors INTEGER NOT NULL DEFAULT 0, failing_since REAL NOT NULL DEFAULT 0,
        standing TEXT NOT NULL DEFAULT '', last_at REAL NOT NULL DEFAULT 0, last_answer TEXT NOT NULL DEFAULT '',
        last_post_at REAL NOT NULL DEFAULT 0, UNIQUE (host, port, user, folder)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE far_message (
        source TEXT NOT NULL, key BLOB NOT NULL, at REAL NOT NULL, PRIMARY KEY (source, key)
    ) STRICT, WITHOUT ROWID
    """,
)
# `fulltext`: whole articles are wanted, from the items' own pages.
FULLTEXT = Migration(
    "ingest",
    7,
    """
    ALTER TABLE feed ADD COLUMN fulltext INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE request ADD COLUMN fulltext INTEGER NOT NULL DEFAULT 0
    """,
)
# `counted_at`: when its list was last asked how many follow; 0 where somebody came since.
COUNTED = Migration("ingest", 8, "ALTER TABLE feed ADD COLUMN counted_at REAL NOT NULL DEFAULT 0")
MIGRATIONS = (MIGRATION, PACKED, PUBLISHERS, PUSHED, MOVING, FAR, FULLTEXT, COUNTED)

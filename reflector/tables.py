"""The reflectors' tables.

Law: a subscription is an interval of post numbers, [from_post, until_post), with a generation; at most one interval of
an address is open. Followers whose timelines live on this host have no row here: their `follow` rows are the list.
"""

from __future__ import annotations

from reflector.bounce_tables import BOUNCES
from reflector.footer_table import FOOTERS
from reflector.mirror_tables import MIRRORS
from reflector.sender_tables import SENDERS
from store import Migration

OPEN = 2**63 - 1  # until_post of an interval that nobody has closed: no post number reaches it

MIGRATION = Migration(
    "reflector",
    1,
    f"""
    -- A removed source stays as a tombstone: were its numbers given out again, timelines would take new posts for old.
    CREATE TABLE source (
        name TEXT PRIMARY KEY, owner TEXT NOT NULL, title TEXT NOT NULL, backlog INTEGER NOT NULL,
        next_post INTEGER NOT NULL, generation INTEGER NOT NULL, subscribers INTEGER NOT NULL, created REAL NOT NULL,
        removed INTEGER NOT NULL
    ) STRICT;

    -- hash: of the address, for splitting a list by ranges. token: the bounce token of a foreign subscriber, else ''.
    CREATE TABLE subscriber (
        id INTEGER PRIMARY KEY, source TEXT NOT NULL, address TEXT NOT NULL, kind TEXT NOT NULL, hash INTEGER NOT NULL,
        from_post INTEGER NOT NULL, until_post INTEGER NOT NULL, generation INTEGER NOT NULL, token TEXT NOT NULL,
        folder TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX subscriber_address ON subscriber (source, address, generation);
    CREATE UNIQUE INDEX subscriber_open ON subscriber (source, address) WHERE until_post = {OPEN};
    CREATE UNIQUE INDEX subscriber_token ON subscriber (source, token) WHERE token <> '';
    -- A post reads this index alone, and of it only intervals that end behind the post's number.
    CREATE INDEX subscriber_interval ON subscriber (source, until_post, from_post, kind, address, token);

    CREATE TABLE confirmation (
        fingerprint BLOB PRIMARY KEY, source TEXT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL,
        folder TEXT NOT NULL, expires REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX confirmation_expires ON confirmation (expires);

    -- What was taken already; door is '' for posts.
    CREATE TABLE posted (
        source TEXT NOT NULL, envid TEXT NOT NULL, door TEXT NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (source, envid, door)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX posted_at ON posted (at);

    CREATE TABLE recent_post (
        source TEXT NOT NULL, post INTEGER NOT NULL, body INTEGER NOT NULL, PRIMARY KEY (source, post)
    ) STRICT, WITHOUT ROWID;

    -- How many mails of a purpose an address was sent on a day, and how many it (or its forger) asked for.
    CREATE TABLE asked (
        day INTEGER NOT NULL, address TEXT NOT NULL, source TEXT NOT NULL, purpose TEXT NOT NULL,
        sent INTEGER NOT NULL, asked INTEGER NOT NULL, PRIMARY KEY (day, address, source, purpose)
    ) STRICT, WITHOUT ROWID
    """,
)

# Lists of lists. A list is named like its address: the root ``bob``, a sub-reflector ``bob+sub.7``; `source` and
# `subscriber` hold either kind under that name.
# - source.floor: no interval that is opened from now on begins before this post; what was before is not all here.
# - subscriber.moving: the epoch of the hand-over in which the row was sent; closed: when, for rows to be forgotten.
#   A list's address may have several closed rows, and of one generation and token: it went away and came back.
# - node: what a list is in its tree (the root has a row once there is one). epoch: under which its parent handed it
#   over; asked: the last in which it was asked to come back; folded: the last in which it did; given: the last that it
#   gave to a branch.
# - branch: who serves a part of a list: a sub-reflector for a range of hashes, a leaf (kind, and name: of its host).
# - move: the one hand-over of a list that is under way. way: down (to a branch), up (asked back), back (going back).
# - part, staged: rows that came in parts. branch '' is the list itself, adopting.
# - relayed: posts that a sub-reflector passed on. told: changes of followers who have no row, for they may still be
#   on their way when a leaf is asked who follows. look: lists to be looked at, and when.
TREE = Migration(
    "reflector",
    2,
    f"""
    ALTER TABLE source ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE subscriber ADD COLUMN moving INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE subscriber ADD COLUMN closed REAL NOT NULL DEFAULT 0;
    DROP INDEX subscriber_address;
    CREATE INDEX subscriber_address ON subscriber (source, address);
    DROP INDEX subscriber_token;
    CREATE INDEX subscriber_token ON subscriber (source, token) WHERE token <> '';
    CREATE INDEX subscriber_rows ON subscriber (source, kind, id, hash, address) WHERE until_post = {OPEN};
    CREATE INDEX subscriber_moving ON subscriber (source, moving) WHERE moving <> 0;
    CREATE INDEX subscriber_closed ON subscriber (closed) WHERE closed <> 0;

    CREATE TABLE node (
        list TEXT PRIMARY KEY, lo INTEGER NOT NULL, hi INTEGER NOT NULL, state TEXT NOT NULL, policy TEXT NOT NULL,
        epoch INTEGER NOT NULL, asked INTEGER NOT NULL, folded INTEGER NOT NULL, given INTEGER NOT NULL,
        fanout INTEGER NOT NULL, rows INTEGER NOT NULL, digest TEXT NOT NULL, tries INTEGER NOT NULL,
        rest_until REAL NOT NULL, reported TEXT NOT NULL, reported_at REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE branch (
        list TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL,
        from_post INTEGER NOT NULL, until_post INTEGER NOT NULL, epoch INTEGER NOT NULL, folded INTEGER NOT NULL,
        total INTEGER NOT NULL, closed REAL NOT NULL, PRIMARY KEY (list, name, epoch)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX branch_interval ON branch (list, until_post, from_post, kind, name);
    CREATE UNIQUE INDEX branch_open ON branch (list, name) WHERE until_post = {OPEN};
    CREATE TABLE move (
        list TEXT PRIMARY KEY, branch TEXT NOT NULL, kind TEXT NOT NULL, way TEXT NOT NULL, lo INTEGER NOT NULL,
        hi INTEGER NOT NULL, epoch INTEGER NOT NULL, since INTEGER NOT NULL, cursor INTEGER NOT NULL,
        part INTEGER NOT NULL, whole INTEGER NOT NULL, rows INTEGER NOT NULL, digest TEXT NOT NULL, begun REAL NOT NULL,
        due REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX move_due ON move (due);
    CREATE TABLE part (
        list TEXT NOT NULL, branch TEXT NOT NULL, epoch INTEGER NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL,
        rows INTEGER NOT NULL, digest TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (list, branch, epoch, part)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE staged (
        list TEXT NOT NULL, branch TEXT NOT NULL, epoch INTEGER NOT NULL, part INTEGER NOT NULL, who TEXT NOT NULL,
        from_post INTEGER NOT NULL, generation INTEGER NOT NULL, folder TEXT NOT NULL,
        PRIMARY KEY (list, branch, epoch, part, who)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE relayed (
        list TEXT NOT NULL, post INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (list, post)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX relayed_at ON relayed (at);
    CREATE TABLE told (
        list TEXT NOT NULL, entity TEXT NOT NULL, from_post INTEGER NOT NULL, until_post INTEGER NOT NULL,
        generation INTEGER NOT NULL, folder TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (list, entity)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX told_at ON told (at);
    CREATE TABLE report (
        source TEXT NOT NULL, name TEXT NOT NULL, epoch INTEGER NOT NULL, rows INTEGER NOT NULL, total INTEGER NOT NULL,
        branches INTEGER NOT NULL, next_post INTEGER NOT NULL, digest TEXT NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (source, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE look (list TEXT PRIMARY KEY, due REAL NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX look_due ON look (due)
    """,
)

# away: lists that are not here, but on their way from or to another host (carrying.py). former_key: other hosts' token
# keys, for what they asked of a source's followers before it came here.
AWAY = Migration(
    "reflector",
    4,
    """
    CREATE TABLE away (list TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE former_key (
        source TEXT NOT NULL, key BLOB NOT NULL, PRIMARY KEY (source, key)
    ) STRICT, WITHOUT ROWID
    """,
)
# post_gap: where a lost host's post numbers and generations ended in its replica (extras.py).
GAPS = Migration(
    "reflector",
    6,
    """
    CREATE TABLE post_gap (
        list TEXT NOT NULL, host TEXT NOT NULL, next_post INTEGER NOT NULL, generation INTEGER NOT NULL,
        PRIMARY KEY (list, host)
    ) STRICT, WITHOUT ROWID
    """,
)
# told.host: where the list took a follower to live when it told her, '' before that was noted.
TOLD_WHERE = Migration("reflector", 9, "ALTER TABLE told ADD COLUMN host TEXT NOT NULL DEFAULT ''")
# What is forgotten by its age is found by it (forgetting.py). source.forgotten: the highest generation of a change that
# no row tells of any more. Who left a root before this was noted is taken to leave now.
LEFT = Migration(
    "reflector",
    10,
    f"""
    ALTER TABLE source ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX branch_closed ON branch (closed) WHERE closed <> 0;
    CREATE INDEX part_at ON part (at);
    UPDATE subscriber SET closed = CAST(strftime('%s', 'now') AS REAL) WHERE closed = 0 AND until_post < {OPEN}
    """,
)
HERE = "list NOT IN (SELECT list FROM away)"

MIGRATIONS = (MIGRATION, TREE, BOUNCES, AWAY, MIRRORS, GAPS, SENDERS, FOOTERS, TOLD_WHERE, LEFT)

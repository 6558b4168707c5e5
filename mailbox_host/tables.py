"""The tables of the mailboxes.

Law: every `body` column here holds one reference in the store; ids are never used twice (AUTOINCREMENT), so that an
open session can never be shown another account's mail.

- `account.cursor`: entries were made of every covered log row up to this `seq`. `account.uidvalidity`: the last given.
- `former_account`: how far the UIDVALIDITYs of a removed account went, should its name come back.
- `follow`: one row per welcome or goodbye, by generation. A welcome covers [from_post, until_post); a goodbye
  (`from_post` NULL) covers nothing, but bounds the welcomes of lower generations that arrive after it.
- `had_post`: posts of which the account no longer has an entry. (account, source, post) is in `entry` or here, never
  both, and never comes back. Of those that have left the log, the highest of a source stands for all below it.
- `seen`: personal mail of the last 14 days, by hash of sender and ENVID.
- `account.octets`, `messages`: what counts against the quota (quota.py); the limits are NULL where the configuration's
  hold, 0 where there is none. `folder.keep_days`, `keep_messages`: the same for retention (retention.py).
- `entry.saved`: when it came into its folder, NULL where that is its arrival.
- `folder.forgotten`: expunges up to this modseq are not in `expunged` any more. `left_log`: posts of a source up to
  `upto` that are not in `post_log` have left it, and do not come into it again.
- `body_facts` goes with its body: the store deletes it, by the foreign key.
"""

from __future__ import annotations

from store import Migration

MIGRATION = Migration(
    "mailbox_host",
    1,
    """
    CREATE TABLE account (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, password TEXT,
        cursor INTEGER NOT NULL, uidvalidity INTEGER NOT NULL, created REAL NOT NULL
    ) STRICT;
    CREATE TABLE former_account (name TEXT PRIMARY KEY, uidvalidity INTEGER NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE folder (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, name TEXT NOT NULL, special_use TEXT NOT NULL,
        uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL DEFAULT 1, modseq INTEGER NOT NULL DEFAULT 1,
        UNIQUE (account, name)
    ) STRICT;
    CREATE TABLE subscription (
        account INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (account, name)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE entry (
        folder INTEGER NOT NULL, uid INTEGER NOT NULL, account INTEGER NOT NULL, source TEXT, post INTEGER,
        body INTEGER NOT NULL, size INTEGER NOT NULL, flags INTEGER NOT NULL, keywords TEXT NOT NULL,
        modseq INTEGER NOT NULL, arrival REAL NOT NULL, PRIMARY KEY (folder, uid)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX entry_post ON entry (account, source, post) WHERE source IS NOT NULL;
    CREATE INDEX entry_modseq ON entry (folder, modseq);
    CREATE TABLE expunged (
        folder INTEGER NOT NULL, modseq INTEGER NOT NULL, uid INTEGER NOT NULL, PRIMARY KEY (folder, modseq, uid)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE had_post (
        account INTEGER NOT NULL, source TEXT NOT NULL, post INTEGER NOT NULL, PRIMARY KEY (account, source, post)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE post_log (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, post INTEGER NOT NULL, body INTEGER NOT NULL,
        size INTEGER NOT NULL, arrival REAL NOT NULL, UNIQUE (source, post)
    ) STRICT;
    CREATE INDEX post_log_source ON post_log (source, seq, post);
    CREATE TABLE follow (
        account INTEGER NOT NULL, source TEXT NOT NULL, generation INTEGER NOT NULL, from_post INTEGER,
        until_post INTEGER NOT NULL, folder INTEGER NOT NULL, eager INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (account, source, generation)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX follow_source ON follow (source, until_post) WHERE from_post IS NOT NULL;

    CREATE TABLE seen (
        account INTEGER NOT NULL, mail BLOB NOT NULL, at REAL NOT NULL, PRIMARY KEY (account, mail)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX seen_at ON seen (at);

    CREATE TABLE body_facts (
        body INTEGER PRIMARY KEY REFERENCES body (id) ON DELETE CASCADE,
        envelope BLOB NOT NULL, body_short BLOB NOT NULL, body_full BLOB NOT NULL
    ) STRICT
    """,
)

# What clients ask of every header, cut out once for everyone who has the body (header_cuts.py); goes with the body.
HEADER_CUTS = Migration(
    "mailbox_host",
    2,
    """
    CREATE TABLE header_cut (
        body INTEGER NOT NULL REFERENCES body (id) ON DELETE CASCADE, kind INTEGER NOT NULL, cut BLOB NOT NULL,
        PRIMARY KEY (body, kind)
    ) STRICT, WITHOUT ROWID
    """,
)

KEEPING = Migration(
    "mailbox_host",
    3,
    """
    ALTER TABLE account ADD COLUMN octets INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE account ADD COLUMN messages INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE account ADD COLUMN quota_octets INTEGER;
    ALTER TABLE account ADD COLUMN quota_messages INTEGER;
    ALTER TABLE folder ADD COLUMN keep_days INTEGER;
    ALTER TABLE folder ADD COLUMN keep_messages INTEGER;
    ALTER TABLE folder ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE entry ADD COLUMN saved REAL;
    CREATE TABLE left_log (source TEXT PRIMARY KEY, upto INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    UPDATE account SET (octets, messages) = (
        SELECT coalesce(sum(e.size), 0), count(e.uid) FROM folder f JOIN entry e ON e.folder = f.id
        WHERE f.account = account.id AND e.source IS NULL)
    """,
)

# The header fields that people search, decoded (imap/header_words.py); goes with the body.
HEADER_WORDS = Migration(
    "mailbox_host",
    4,
    """
    CREATE TABLE header_words (
        body INTEGER PRIMARY KEY REFERENCES body (id) ON DELETE CASCADE, words BLOB NOT NULL
    ) STRICT
    """,
)

KEEPS_SENT = Migration("mailbox_host", 5, "ALTER TABLE account ADD COLUMN keeps_sent INTEGER NOT NULL DEFAULT 0")

# Sources whose followers here were handed over to this host (leaves.py): under which epoch, and up to which post every
# post is kept; folded: the last epoch in which they were asked back. leaf_part: a hand-over, as far as it has come.
LEAVES = Migration(
    "mailbox_host",
    6,
    """
    CREATE TABLE leaf (
        source TEXT PRIMARY KEY, epoch INTEGER NOT NULL, until_post INTEGER NOT NULL, folded INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE leaf_part (
        source TEXT NOT NULL, epoch INTEGER NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL,
        rows INTEGER NOT NULL, digest TEXT NOT NULL, refused TEXT NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (source, epoch, part)
    ) STRICT, WITHOUT ROWID
    """,
)

# Which of a source's posts an account wants (sifting.py): those with one of the words, and none of the others.
SIFTS = Migration(
    "mailbox_host",
    7,
    """
    CREATE TABLE sift (
        account INTEGER NOT NULL, source TEXT NOT NULL, at INTEGER NOT NULL, only_words TEXT NOT NULL,
        without_words TEXT NOT NULL, PRIMARY KEY (account, source)
    ) STRICT, WITHOUT ROWID
    """,
)

# account.away: it is not here, but on its way from or to another host (carrying.py). passed_on: sources with followers
# who were here and live on `host` now: their posts are passed on to its leaf (room.py).
PASSED_ON = Migration(
    "mailbox_host",
    8,
    """
    ALTER TABLE account ADD COLUMN away INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE passed_on (source TEXT NOT NULL, host TEXT NOT NULL, PRIMARY KEY (source, host)) STRICT, WITHOUT ROWID
    """,
)

# moved_follower: who moved away and follows a source whose list does not know it yet (passing.py). passed_on.due: when
# the list is asked, NULL while the accounts are on their way; once posts are passed on up to `until_post` only, since
# when that is so.
MOVED = Migration(
    "mailbox_host",
    9,
    f"""
    CREATE TABLE moved_follower (
        id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, host TEXT NOT NULL, name TEXT NOT NULL,
        from_post INTEGER NOT NULL, generation INTEGER NOT NULL, folder TEXT NOT NULL, UNIQUE (name, source)
    ) STRICT;
    CREATE INDEX moved_follower_source ON moved_follower (source, id);
    ALTER TABLE passed_on ADD COLUMN until_post INTEGER NOT NULL DEFAULT {2**62};
    ALTER TABLE passed_on ADD COLUMN due REAL;
    UPDATE passed_on SET due = 0;
    INSERT OR IGNORE INTO moved_follower (source, host, name, from_post, generation, folder)
    SELECT f.source, p.host, a.name, f.from_post, max(f.generation), d.name FROM passed_on p
    JOIN follow f ON f.source = p.source JOIN account a ON a.id = f.account JOIN folder d ON d.id = f.folder
    WHERE a.away AND f.until_post = {2**62} AND f.from_post IS NOT NULL GROUP BY f.source, a.name
    """,
)

# Where another server keeps the mailboxes (outward.py): a row that says how far the log was handed out, and which
# accounts (followers) may be owed some of what lies behind. Not carried: an account goes when nothing is owed.
OUTWARD = Migration(
    "mailbox_host",
    10,
    """
    CREATE TABLE outward (seq INTEGER NOT NULL, follower INTEGER NOT NULL) STRICT;
    CREATE TABLE owed (
        follower INTEGER NOT NULL, source TEXT NOT NULL, PRIMARY KEY (follower, source)
    ) STRICT, WITHOUT ROWID
    """,
)

# uid_gap: where a lost host's UIDs and modseqs ended in its replica, by UIDVALIDITY, 0: its password (gaps.py).
# taken_back: what such a host gave, by its own UIDs, that is here now (merging.py).
GAPS = Migration(
    "mailbox_host",
    11,
    """
    CREATE TABLE uid_gap (
        account INTEGER NOT NULL, host TEXT NOT NULL, folder INTEGER NOT NULL, uidnext INTEGER NOT NULL,
        modseq INTEGER NOT NULL, password TEXT, PRIMARY KEY (account, host, folder)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE taken_back (
        account INTEGER NOT NULL, host TEXT NOT NULL, folder INTEGER NOT NULL, uid INTEGER NOT NULL,
        PRIMARY KEY (account, host, folder, uid)
    ) STRICT, WITHOUT ROWID
    """,
)

# Since when no standby hears of UIDs: where each folder was then (alone.py).
ALONE = Migration(
    "mailbox_host",
    12,
    "CREATE TABLE alone (folder INTEGER PRIMARY KEY, uidnext INTEGER NOT NULL) STRICT",
)

# passed_on.behind: the log is still to be sent after its followers from this post on (straying.py).
STRAYING = Migration(
    "mailbox_host",
    13,
    """
    ALTER TABLE passed_on ADD COLUMN behind INTEGER;
    CREATE INDEX passed_on_behind ON passed_on (source) WHERE behind IS NOT NULL
    """,
)

MIGRATIONS = (
    MIGRATION,
    HEADER_CUTS,
    KEEPING,
    HEADER_WORDS,
    KEEPS_SENT,
    LEAVES,
    SIFTS,
    PASSED_ON,
    MOVED,
    OUTWARD,
    GAPS,
    ALONE,
    STRAYING,
)

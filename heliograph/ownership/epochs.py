"""That a host came back from a backup: when, of when the backup was, and what it must not take for its own any more.

Law: a row begins an epoch, before which what the host told others is unknown to it. What the zone gives to another host
at its first start thereafter may be there already: the host gives it up before it serves anybody, and the hand-over
finds out (a host that has the bucket says so; one that has not gets it).
"""

from __future__ import annotations

from directory.snapshot import Directory
from heliograph.ownership.holding import View, seal
from heliograph.ownership.ownership import Ownership
from store import Migration, Reader, Transaction, events

MIGRATIONS = (
    Migration("backup", 1, "CREATE TABLE restored (at REAL NOT NULL, backup_at REAL NOT NULL) STRICT"),
    Migration("backup", 2, "ALTER TABLE restored ADD COLUMN settled INTEGER NOT NULL DEFAULT 0"),
    # inheritance, at an heir: of each lost host, how far it is (standby/steps.py); `upto`: the last number that its
    # queue had given in its replica, `at`: up to which it is adopted. At a lost host, under its own name: whether its
    # queue waits for the heir's answer, and the last number from before it was lost. token_key: this host's, for its
    # heir.
    Migration(
        "standby",
        1,
        """
        CREATE TABLE inheritance (
            host TEXT PRIMARY KEY, step TEXT NOT NULL, peer TEXT NOT NULL, upto INTEGER NOT NULL, at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE token_key (key BLOB PRIMARY KEY) STRICT, WITHOUT ROWID
        """,
    ),
)


def settle(tx: Transaction, ownership: Ownership, zone: Directory, now: float) -> int:
    """Give up what the zone gives to others, once after a restore; return how many buckets that are."""
    if not tx.execute("UPDATE restored SET settled = 1 WHERE NOT settled").rowcount:
        return 0
    sealed = []
    for mine in ownership.held():
        named = zone.timeline[mine.bucket] if mine.map == "timeline" else zone.reflectors[mine.bucket]
        if named != ownership.host and (after := seal(mine, named, View(named, zone.serial), now)):
            sealed.append(after)
    ownership.put(tx, *sealed)
    events.append(tx, now, "settled", buckets=len(sealed))
    return len(sealed)


def is_unfinished(source: Reader | Transaction) -> bool:
    """Tell whether the other hosts are still to be asked what they own of this backup (moving/inquiry.py)."""
    return source.one("SELECT 1 FROM restored WHERE settled = 1") is not None


def finished(tx: Transaction) -> None:
    """They were asked."""
    tx.execute("UPDATE restored SET settled = 2 WHERE settled = 1")

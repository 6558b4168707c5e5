"""How far a folder's UIDs may go while no standby hears of them.

Law: an heir skips UIDS_SKIPPED from what the replica knew; the owner gives no UID beyond that before the replica knows
more. What would need one waits, as for a full disk. A folder that is newer than the replica is unknown to it, and free.
"""

from __future__ import annotations

from mailbox_host.skipping import UIDS_SKIPPED
from store import Reader, StandbyBehind, Transaction

# Given before it was noted that nobody hears: some groups of commits, each of one account's filing at most.
UNNOTED_MAX = 16_384


def note(tx: Transaction) -> int:
    """From here on nobody hears; where that was so already, what was noted stays. Return how many folders there are."""
    return tx.execute("INSERT OR IGNORE INTO alone SELECT id, uidnext FROM folder").rowcount


def forget(tx: Transaction) -> None:
    """The replica knows all again."""
    tx.execute("DELETE FROM alone")


def is_noted(source: Reader | Transaction) -> bool:
    return source.one("SELECT 1 FROM alone LIMIT 1") is not None


def check(tx: Transaction, folder: int, uidnext: int) -> None:
    """Raise StandbyBehind where a folder would go further than its heir skips."""
    known = tx.one("SELECT uidnext FROM alone WHERE folder = ?", (folder,))
    if known and uidnext > known[0] + UIDS_SKIPPED - UNNOTED_MAX:
        raise StandbyBehind(f"folder {folder} came too far without the standby")

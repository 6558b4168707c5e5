"""What a host skips over whose database became older than what it told: it came back from a backup.

Law: a UID is given once. A client that saw more than is here is told everything anew when it comes back: which messages
are there (RFC 7162 3.2.5.1), and their flags. UIDVALIDITY stays; folders made from now on take theirs from the clock.
"""

from __future__ import annotations

from store import Transaction

UIDS_SKIPPED = 65_536  # of each folder: more than arrives between two backups
MODSEQS_SKIPPED = 1 << 24  # a folder that changes every second does not come so far in half a year; 63 bits are many


def skip_uids(tx: Transaction, name: str | None = None) -> int:
    """Skip ahead in every folder, or those of an account; return how many there are. Writes every entry: not beside
    work."""
    folders = "(SELECT f.id FROM folder f JOIN account a ON a.id = f.account WHERE a.name = ?3 OR ?3 IS NULL)"
    sql = (
        f"UPDATE folder SET uidnext = uidnext + ?1, modseq = modseq + ?2, forgotten = modseq + ?2 WHERE id IN {folders}"
    )
    count = tx.execute(sql, (UIDS_SKIPPED, MODSEQS_SKIPPED, name)).rowcount
    # What is forgotten is in the table no more: who takes a folder in holds to that, and would have something else.
    tx.execute(f"DELETE FROM expunged WHERE folder IN {folders.replace('?3', '?1')}", (name,))
    tx.execute(f"DELETE FROM alone WHERE folder IN {folders.replace('?3', '?1')}", (name,))
    change = "UPDATE entry SET modseq = (SELECT f.modseq FROM folder f WHERE f.id = entry.folder)"
    tx.execute(f"{change} WHERE folder IN {folders.replace('?3', '?1')}", (name,))
    return count

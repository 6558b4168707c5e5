"""What a reflector skips over whose database became older than what it sent: it came back from a backup.

Law: a post's number is given once, and a subscription's generation too: timelines elsewhere would take a new post for
one that they have, and a new follower's welcome for an old one.
"""

from __future__ import annotations

from store import Transaction

POSTS_SKIPPED = 65_536  # of each source: more than it posts between two backups
GENERATIONS_SKIPPED = 1 << 20  # of each list: as many changes of subscriptions


def skip_posts(tx: Transaction, list_: str | None = None) -> int:
    """Skip ahead at every source, or at one list; return how many there are. Sub-reflectors learn numbers from their
    root."""
    chosen = "(name = ?2 OR ?2 IS NULL)"
    tx.execute(f"UPDATE source SET generation = generation + ?1 WHERE {chosen}", (GENERATIONS_SKIPPED, list_))
    sql = f"UPDATE source SET next_post = next_post + ?1 WHERE instr(name, '+') = 0 AND {chosen}"
    return tx.execute(sql, (POSTS_SKIPPED, list_)).rowcount

"""What a reflector skips over whose database became older than what it sent: it came back from a backup.

Law: a post's number is given once, and a subscription's generation too: timelines elsewhere would take a new post for
one that they have, and a new follower's welcome for an old one.
"""

from __future__ import annotations

from store import Transaction

POSTS_SKIPPED = 65_536  # of each source: more than it posts between two backups
GENERATIONS_SKIPPED = 1 << 20  # of each list: as many changes of subscriptions


def skip_posts(tx: Transaction) -> int:
    """Skip ahead at every source; return how many there are. Sub-reflectors learn numbers from their root."""
    tx.execute("UPDATE source SET generation = generation + ?", (GENERATIONS_SKIPPED,))
    sql = "UPDATE source SET next_post = next_post + ? WHERE instr(name, '+') = 0"
    return tx.execute(sql, (POSTS_SKIPPED,)).rowcount

"""Domains that asked to be left alone: the rows of `resting`.

Law: one that counts our requests counts all of them, whichever of its feeds and pages they were for.
"""

from __future__ import annotations

from store import Reader, Transaction


def rest(tx: Transaction, domain: str, *, until: float, now: float) -> None:
    """Leave a whole domain alone."""
    tx.execute("DELETE FROM resting WHERE until <= ?", (now,))
    tx.execute("INSERT OR REPLACE INTO resting (domain, until) VALUES (?, ?)", (domain, until))


def rest_seconds(reader: Reader, domain: str, now: float) -> float:
    """Return for how long a domain is still to be left alone; 0: it is not."""
    row = reader.one("SELECT until FROM resting WHERE domain = ?", (domain,))
    return max(row[0] - now, 0.0) if row else 0.0

"""Domains that asked to be left alone: the rows of `resting`.

Law: one that counts our requests counts all of them, whichever of its feeds and pages they were for.
"""

from __future__ import annotations

from store import Reader, Transaction


def rest(tx: Transaction, domain: str, *, until: float, now: float) -> None:
    """Leave a whole domain alone."""
    tx.execute("DELETE FROM resting WHERE until <= ?", (now,))
    tx.execute("INSERT OR REPLACE INTO resting (domain, until) VALUES (?, ?)", (domain, until))


def rests(reader: Reader, domain: str, now: float) -> bool:
    """Tell whether a domain is to be left alone."""
    return reader.one("SELECT 1 FROM resting WHERE domain = ? AND until > ?", (domain, now)) is not None

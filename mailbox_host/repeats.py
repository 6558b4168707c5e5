"""Which personal mail was filed already: the same mail for the same account, from the same sender, within 14 days.

Law: checked and written in the transaction that files. A repeat comes from a queue that did not hear our 250. No two
mails of an account have one moment, so that a letter's arrival tells its key for as long as that is kept.
"""

from __future__ import annotations

import hashlib

from mail.envelope import Arrival
from store import Transaction

SEEN_SECONDS = 14 * 86_400.0  # a queue gives up after 5 days, a moved bucket forwards for 14
MOMENT_SECONDS = 1e-5  # doubles of this century tell a quarter of a microsecond
TRIMMED_AT_ONCE_MAX = 8  # more than one arrival adds, so that the table shrinks; few, so that no arrival pays for many


def is_first(tx: Transaction, account: int, arrival: Arrival) -> bool:
    """Remember this mail for this account; False where it was here before."""
    return first_at(tx, account, arrival) is not None


def first_at(tx: Transaction, account: int, arrival: Arrival) -> float | None:
    """The same, and tell its moment: now, or a little later where another mail of the account came now. None where it
    was here before."""
    _trim(tx, arrival.now - SEEN_SECONDS)
    at = arrival.now
    while tx.one("SELECT 1 FROM seen WHERE at = ? AND account = ?", (at, account)):
        at += MOMENT_SECONDS
    added = tx.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (account, _digest(arrival), at))
    return at if added.rowcount else None


def was_here(tx: Transaction, account: int, arrival: Arrival) -> bool:
    """Tell the same and remember nothing: for mail that is not taken now."""
    return tx.one("SELECT 1 FROM seen WHERE account = ? AND mail = ?", (account, _digest(arrival))) is not None


def _digest(arrival: Arrival) -> bytes:
    envid = arrival.envid or hashlib.sha256(arrival.content).hexdigest()
    return hashlib.blake2b(f"{arrival.sender}\n{envid}".encode(errors="surrogateescape"), digest_size=20).digest()


def _trim(tx: Transaction, before: float) -> None:
    old = tx.all("SELECT account, mail FROM seen WHERE at < ? ORDER BY at LIMIT ?", (before, TRIMMED_AT_ONCE_MAX))
    tx.executemany("DELETE FROM seen WHERE account = ? AND mail = ?", old)

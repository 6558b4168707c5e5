"""A host's mailboxes, many at once: what bench/moves.py moves.

Law: straight into the tables, as the rooms write them; letters and posts by turns, whose bodies are shared.
"""

from __future__ import annotations

import time
from collections import Counter
from functools import partial

from mailbox_host import accounts
from mailbox_host.refiling import insert
from store import Bodies, Store, Transaction

MANY, MANY_QUICK = (10_000, 100, 20_000), (300, 100, 1_000)  # accounts, entries of each, bodies
BODY = b"Subject: %d\r\nFrom: x@y.test\r\n\r\n" + b"Some words that somebody wrote.\r\n" * 60
AT_ONCE = 500  # accounts, or bodies, filled in by one transaction
STRIDE = 7919  # which body an entry has: neighbours have others


def fill(store: Store, names: list[str], entries: int, bodies: int) -> None:
    """Make these accounts, each with so many entries, of so many bodies in all."""
    now, kept = time.time(), list[int]()
    for at in range(0, bodies, AT_ONCE):
        kept += store.write_now(partial(_keep, numbers=range(at, min(at + AT_ONCE, bodies))))
    for at in range(0, len(names), AT_ONCE):
        some = names[at : at + AT_ONCE]
        store.write_now(partial(_accounts, first=at, names=some, entries=entries, bodies=kept, now=now))
    for at in range(0, bodies, AT_ONCE):  # from here on the entries alone hold them
        store.write_now(partial(Bodies.release_many, counts=Counter(kept[at : at + AT_ONCE])))


def _keep(tx: Transaction, numbers: range) -> list[int]:
    return [Bodies.keep(tx, BODY % number) for number in numbers]


def _accounts(tx: Transaction, first: int, names: list[str], entries: int, bodies: list[int], now: float) -> None:
    """`first`: how many accounts there were."""
    accounts.add_many(tx, [(name, None) for name in names], now)
    counts, letters = Counter[int](), (entries + 1) // 2
    for at, name in enumerate(names, first):
        owner = accounts.account_id(tx, name)
        inbox = tx.one("SELECT id FROM folder WHERE account = ? AND name = 'INBOX'", (owner,))
        assert inbox is not None
        chosen = [bodies[(at * entries + place) * STRIDE % len(bodies)] for place in range(entries)]
        counts.update(chosen)
        insert(tx, inbox[0], [_entry(owner, place, body, now) for place, body in enumerate(chosen)])
        tx.execute("UPDATE account SET octets = ?, messages = ? WHERE id = ?", (len(BODY) * letters, letters, owner))
    Bodies.share_many(tx, counts)


def _entry(owner: int, place: int, body: int, now: float) -> tuple[object, ...]:
    """Posts were read."""
    post = ("bob", place) if place % 2 else (None, None)
    return owner, *post, body, len(BODY), place % 2, "", now

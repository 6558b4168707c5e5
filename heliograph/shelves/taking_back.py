"""What a host that was lost had handed out when it ended, and its shelf had not taken yet.

Law: its heir may have handed out the same posts, out of its own log. So they leave the queue, and are not had any more
in the same transaction: they are filed, given to the heir like all that only this host has, and the heir knows. Letters
stay in the queue: the heir has only what its sender sent again.
"""

from __future__ import annotations

from mailbox_host.taking_back import take_back
from spool.route import SHELF
from spool.shelved import Shelved, drop_rows, shelved
from store import Store, Transaction

ROWS_AT_ONCE = 500


async def take_posts_back(store: Store) -> None:
    """Nobody works on the queue meanwhile. Once more does no harm."""
    after = (0, 0)
    while rows := shelved(store.reader, after, ROWS_AT_ONCE):
        await store.write(lambda tx, rows=rows: _take(tx, rows))  # type: ignore[misc]
        after = rows[-1].message, rows[-1].n


def _take(tx: Transaction, rows: list[Shelved]) -> None:
    drop_rows(tx, [row for row in rows if take_back(tx, _account(row.address), row.body)])


def _account(address: str) -> str:
    """Read ``lmtp:"alice+Evening Papers"@D`` (place.py): no account has a "+" or a quote in its name."""
    return address.removeprefix(SHELF).lstrip('"').partition("@")[0].partition("+")[0]

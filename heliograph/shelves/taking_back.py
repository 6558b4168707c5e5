"""What a host that was lost had handed out when it ended, and its shelf had not taken yet.

Law: its heir may have handed out the same posts, out of its own log. So they leave the queue, and are not had any more
in the same transaction: they are filed, given to the heir like all that only this host has, and the heir knows. Letters
stay in the queue: the heir has only what its sender sent again.
"""

from __future__ import annotations

from heliograph.shelves.place import read_shelf_address
from mailbox_host.taking_back import take_back
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
    drop_rows(tx, [row for row in rows if take_back(tx, read_shelf_address(row.address)[0], row.body)])

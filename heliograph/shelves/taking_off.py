"""Mail for another server's mailboxes in the queue of a host that keeps its own: from before it did, or a lost host's.

Law: it is filed and leaves the queue in one transaction. It was acknowledged, and there is no server to send it to.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from heliograph.shelves.place import read_shelf_address
from mailbox_host import outward
from mailbox_host.taking_back import file_back
from spool.shelved import Shelved, drop_rows, shelved
from store import Store, Transaction

ROWS_AT_ONCE = 200


async def take_off_shelf(store: Store, clock: Callable[[], float]) -> None:
    """Of accounts that are here; the others' waits for their host, or for the setting. Once more does no harm."""
    after = (0, 0)
    while not outward.is_outward(store.reader) and (rows := shelved(store.reader, after, ROWS_AT_ONCE)):
        await store.write(partial(_file, rows, clock()))
        after = rows[-1].message, rows[-1].n


def _file(rows: list[Shelved], now: float, tx: Transaction) -> None:
    drop_rows(tx, [row for row in rows if file_back(tx, *read_shelf_address(row.address), row.body, now)])

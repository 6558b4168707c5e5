"""A folder's UIDs while no standby hears: up to what its heir would skip, and no further."""

from __future__ import annotations

from pathlib import Path

import pytest

from heliograph.standby.solitude import Solitude
from mailbox_host import accounts, alone, folders
from mailbox_host.refiling import append
from mailbox_host.skipping import UIDS_SKIPPED, skip_uids
from mailbox_host.tables import MIGRATIONS
from store import StandbyBehind, Store, Transaction
from store.bodies import MIGRATION as STORE_MIGRATION


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    one = Store(tmp_path / "h.db", [STORE_MIGRATION, *MIGRATIONS])
    one.write_now(lambda tx: accounts.add(tx, "alice", "hash", 5.0))
    yield one
    one.close()


def file(tx: Transaction, name: str = "INBOX") -> int:
    folder = folders.find_folder(tx, "alice", name)
    assert folder
    return append(tx, "alice", folder.id, b"Subject: x\r\n\r\n", 0, frozenset(), 9.0).uid


def go_on(tx: Transaction, count: int) -> None:
    tx.execute("UPDATE folder SET uidnext = uidnext + ? WHERE name = 'INBOX'", (count,))


async def test_who_is_alone_gives_no_uid_that_its_heir_may_give(store: Store) -> None:
    standby: list[bool | None] = [False]
    looks = Solitude(store, lambda: standby[0])
    await looks.look()
    assert not alone.is_noted(store.reader)
    standby[0] = True
    await looks.look()
    await store.write(lambda tx: go_on(tx, UIDS_SKIPPED - alone.UNNOTED_MAX - 1))
    await store.write(file)
    with pytest.raises(StandbyBehind):
        await store.write(file)
    await store.write(lambda tx: file(tx, "Archive"))
    await store.write(lambda tx: folders.create_folder(tx, "alice", "New", 10.0))
    await store.write(lambda tx: file(tx, "New"))
    again = Solitude(store, lambda: standby[0])  # after a restart it is as it was
    await again.look()
    with pytest.raises(StandbyBehind):
        await store.write(file)
    standby[0] = False
    await again.look()
    assert not alone.is_noted(store.reader) and await store.write(file)


async def test_who_skipped_is_free_again(store: Store) -> None:
    await store.write(alone.note)
    await store.write(skip_uids)
    assert await store.write(file) == UIDS_SKIPPED + 1

"""The IMAP server of a host in a process of its own, filled as bench/imap.py asks.

Law: what is measured is what a host runs: the store with its group commit, the mailboxes, argon2id, uvloop.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import uvloop
from imap_mail import folder_messages, inbox_messages

import store.bodies
from mailbox_host import accounts, entries, folders, tables
from mailbox_host.bell import Bell
from mailbox_host.entries import SEEN
from mailbox_host.imap import ImapServer, Settings
from mailbox_host.passwords import PasswordChecker
from store import Store, Transaction

FILLED_AT_ONCE = 1000


def fill(store_: Store, wishes: dict[str, object]) -> None:
    """Make the accounts, and the mail of the first."""
    users: list[tuple[str, str]] = [(name, hashed) for name, hashed in wishes["users"]]  # type: ignore[attr-defined]
    now = time.time()
    store_.write_now(lambda tx: accounts.add_many(tx, users, now))
    owner = users[0][0]
    for name in wishes["folders"]:  # type: ignore[attr-defined]
        store_.write_now(lambda tx, name=name: folders.create_folder(tx, owner, name, now))
    _file(store_, owner, "INBOX", inbox_messages(int(str(wishes["messages"]))))
    for name in wishes["folders"]:  # type: ignore[attr-defined]
        _file(store_, owner, name, folder_messages(name))


def _file(store_: Store, owner: str, name: str, messages: list[tuple[bytes, bool]]) -> None:
    folder = folders.find_folder(store_.reader, owner, name)
    assert folder is not None
    folder_id = folder.id

    def work(tx: Transaction, some: list[tuple[bytes, bool]]) -> None:
        for content, seen in some:
            entries.append(tx, owner, folder_id, content, SEEN if seen else 0, frozenset(), time.time())

    for start in range(0, len(messages), FILLED_AT_ONCE):
        store_.write_now(lambda tx, some=messages[start : start + FILLED_AT_ONCE]: work(tx, some))


async def run(folder: Path, wishes: dict[str, object]) -> None:
    store_ = Store(folder / "heliograph.db", [store.bodies.MIGRATION, *tables.MIGRATIONS])
    if wishes:  # otherwise it serves what is there
        fill(store_, wishes)
    server = ImapServer(store_, Bell(), PasswordChecker(), Settings("fabric.test", "host-1"))
    print(await server.serve("127.0.0.1", 0), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.close()
    store_.close()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(run(Path(sys.argv[1]), json.loads(sys.argv[2])))

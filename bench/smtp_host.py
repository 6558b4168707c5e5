"""One host's door and queue in a process of its own, as bench/smtp.py drives it: everything durable, nothing delivered.

Law: what is measured is what a host runs: the store with its group commit, the bodies, the queue, recipients looked up
in a table, uvloop. Only the rooms behind the queue are missing.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
from pathlib import Path

import uvloop

import store.bodies
from mail.address import Address
from mail.outcome import Delivered, Outcome, Refused
from spool import tables
from spool.door import Envelope, Session
from spool.listeners import serve
from spool.queue import Queue
from spool.smtp_settings import Settings
from store import Bodies, Migration, Store, Transaction

USERS = 20_000
DOMAIN = "fabric.test"
USER_TABLE = Migration("bench", 1, "CREATE TABLE user (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID")


class BenchDoor:
    """Knows its users from the database, and queues."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue = Queue()

    async def authenticate(self, session: Session, username: str, password: bytes) -> Outcome:
        return Refused("5.7.8 Nobody signs in here", 535)

    def prove(self, session: Session, host: str, nonce: str, proof: str) -> Outcome:
        return Refused("5.7.0 No proof is asked here")

    def sender(self, session: Session, sender: Address | None) -> Outcome:
        return Delivered()

    def recipient(self, session: Session, envelope: Envelope, address: Address) -> Outcome:
        known = self._store.reader.one("SELECT 1 FROM user WHERE name = ?", (address.local,))
        return Delivered() if known else Refused("5.1.1 No such user here")

    async def accept(self, session: Session, envelope: Envelope, content: bytes) -> Outcome:
        now = time.time()
        envid = hashlib.sha256(content).hexdigest()
        received = (
            f"Received: from {session.helo} ([{session.peer}]) by host-1.{DOMAIN}; {time.ctime(now)}\r\n".encode()
        )

        def keep(tx: Transaction) -> int:
            return self._queue.put(
                tx,
                sender=envelope.sender,
                recipients=envelope.recipients,
                body=Bodies.keep(tx, received + content),
                envid=envid,
                accepted_at=now,
                now=now,
            )

        return Delivered(f"2.0.0 Ok, queued as {await self._store.write(keep)}")


async def run(folder: Path) -> None:
    store_ = Store(folder / "heliograph.db", [store.bodies.MIGRATION, tables.MIGRATION, USER_TABLE])
    names = [(f"{n}u" if n else "u",) for n in range(USERS)]  # smtp-source -r puts a number in front
    await store_.write(lambda tx: tx.executemany("INSERT INTO user VALUES (?)", names))
    listener = await serve(BenchDoor(store_), Settings("host-1.fabric.test", DOMAIN), "mx", ("127.0.0.1", 0))
    print(listener.port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await listener.close()
    store_.close()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(run(Path(sys.argv[1])))

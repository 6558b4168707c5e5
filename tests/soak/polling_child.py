"""A poller that is made to be killed: started once, forked as often as it is asked (``fork`` on standard input).

Law: single-threaded until it forks, so that a child starts in milliseconds and whole. Each answers with its process id
on standard output and polls, over and over, whatever the database holds, until it is killed.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import os
import signal
import socket
import sys
import time
from pathlib import Path

from directory.names import FabricNames
from directory.snapshot import Directory, HostRecord
from ingest.poller import Poller
from ingest.room import IngestRoom
from ingest.settings import Settings
from ingest.tables import MIGRATIONS as INGEST
from mail.envelope import Outgoing
from spool.queue import Queue
from spool.tables import MIGRATIONS as SPOOL
from store import Bodies, Store, Transaction, bodies

NAMES = FabricNames("soak.test", 16)
TABLES = [bodies.MIGRATION, *SPOOL, *INGEST]
AGAIN_SECONDS = 0.02


def lookup(host: str, port: int) -> list[tuple[object, ...]]:
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]


async def poll_on(path: Path) -> None:
    store, queue = Store(path, TABLES), Queue()
    owners = ("host-1",) * NAMES.buckets
    zone = Directory(NAMES, 1, {"host-1": HostRecord("host-1", "127.0.0.1", None)}, owners, owners)
    settings = Settings(allow_networks=(ipaddress.ip_network("127.0.0.0/8"),))

    def spool(tx: Transaction, outgoing: Outgoing) -> None:
        now, content = time.time(), outgoing.content
        body, envid = Bodies.keep(tx, content), hashlib.sha256(content).hexdigest()
        to = outgoing.recipients
        queue.put(tx, sender=outgoing.sender, recipients=to, body=body, envid=envid, accepted_at=now, now=now)

    poller = Poller(store, spool, IngestRoom("host-1", lambda: zone, settings), lookup=lookup)
    await poller.start()
    while True:  # all are due, and who was asked longest ago comes first
        await store.write(lambda tx: tx.execute("UPDATE feed SET next_due = max(last_at, 1)"))
        poller.wake()
        await asyncio.sleep(AGAIN_SECONDS)


def main(path: Path) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel takes the dead away
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            asyncio.run(poll_on(path))
        print(child, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

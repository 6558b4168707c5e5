"""One real host in a process of its own, as bench/smtp.py drives it: everything durable, nothing delivered.

Law: what is measured is what a host runs: its configuration, zone, doors, rooms, store and event loop. Only the worker
behind the queue is held, as the peer's is.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))  # else `ingest` would be bench/ingest.py

from heliograph import host as hosts
from heliograph.configuration.config import load
from mailbox_host import accounts
from spool.runner import Runner

USERS = 20_000
HOST = "host-1"


class HeldRunner(Runner):
    """Takes no mail from the queue."""

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        return None

    def wake(self) -> None:
        return None


async def run(root: Path) -> None:
    host = hosts.Host(load(root), HOST)
    await host.start()
    names = [(f"{n}u" if n else "u", None) for n in range(USERS)]  # smtp-source -r puts a number in front
    await host.store.write(lambda tx: accounts.add_many(tx, names, 0.0))
    print(f"{host.address}:{host.config.ports.smtp}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await host.stop()


if __name__ == "__main__":
    hosts.Runner = HeldRunner  # type: ignore[misc]
    uvloop.install()
    asyncio.run(run(Path(sys.argv[1])))

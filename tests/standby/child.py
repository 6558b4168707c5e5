"""An owner or a standby as a process of its own, to be killed: `child.py owner|standby FOLDER NUMBER`.

The owner prints each number that was acknowledged. They meet at a socket file in the folder.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from heliograph.standby import sender
from heliograph.standby.receiver import Receiver
from heliograph.standby.replicas import Replicas
from heliograph.standby.sender import Sender
from store import Migration, StandbyBehind, Store, Transaction
from store.identity import MIGRATION as IDENTITY

TABLE = Migration("test", 1, "CREATE TABLE word (n INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT")
WRITERS = 8


class Way:
    """To the standby's socket file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "meet"

    async def open(self, host: str, purpose: str) -> tuple[Any, Any]:
        return await asyncio.open_unix_connection(str(self._path), limit=16_384)


async def own(folder: Path, first: int) -> None:
    sender.AGAIN_SECONDS = (0.02,)
    store = Store(folder / "owner.db", [IDENTITY, TABLE])
    zone = lambda: SimpleNamespace(standbys={"host-1": "host-2"})  # noqa: E731
    keeper = Sender("host-1", store, Way(folder), zone, "required")  # type: ignore[arg-type]
    await keeper.start(lambda listener: lambda: None)
    await asyncio.gather(*(write(store, first + number) for number in range(WRITERS)))


async def write(store: Store, first: int) -> None:
    for number in count(first, WRITERS):
        with suppress(StandbyBehind):
            await store.write(partial(put, number))
            print(number, flush=True)


def put(number: int, tx: Transaction) -> None:
    tx.execute("INSERT INTO word VALUES (?, ?)", (number, " x" * (number % 97 * 20)))


async def stand_by(folder: Path) -> None:
    receiver = Receiver(Replicas(folder / "standby"), lambda name: True)
    path = folder / "meet"
    path.unlink(missing_ok=True)
    async with await asyncio.start_unix_server(lambda r, w: receiver.handle(r, w, "host-1"), path) as server:
        await server.serve_forever()


if __name__ == "__main__":
    role, place, number = sys.argv[1:]
    asyncio.run(own(Path(place), int(number)) if role == "owner" else stand_by(Path(place)))

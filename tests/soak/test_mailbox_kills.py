"""kill -9 of a host that reads a mailbox elsewhere, while letters come and its folder is numbered anew: none is lost.

HELIOGRAPH_MAILBOX_KILLS: how many (300); HELIOGRAPH_SEED: of when.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.mailboxes import rows
from ingest.mailboxes.place import place_of
from ingest.mailboxes.vault import Vault
from store import Reader, Store
from tests.ingest.far_server import PASSWORD, FarServer, letter
from tests.soak.polling_child import TABLES
from tests.soak.test_poll_kills import Lives, after, count

KILLS = int(os.environ.get("HELIOGRAPH_MAILBOX_KILLS", "300"))
SEED = int(os.environ.get("HELIOGRAPH_SEED", "0")) or random.randrange(1, 2**31)
SECONDS_MAX = 0.5  # of a life
QUIET_SECONDS_MAX = 60.0
ANEW = 0.1  # the chance that the folder gets other numbers, per life
_TITLE = re.compile(rb"^Subject: (Letter \d+)\r$", re.MULTILINE)


@contextmanager
def far_server(path: Path) -> Iterator[tuple[FarServer, Callable[[Callable[[], None]], None]]]:
    """A server in a thread of its own, and a way to do something in it."""
    server, loop = FarServer(path), asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)

    async def do(work: Callable[[], None]) -> None:
        work()

    yield server, lambda work: asyncio.run_coroutine_threadsafe(do(work), loop).result(10)
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)


def anew(server: FarServer) -> None:
    kept = list(server.folder.values())
    server.folder, server.next_uid, server.validity = {}, 1, server.validity + 1
    server.add(*kept)


def run(path: Path, kills: int, seed: int) -> list[str]:
    chance, written, database = random.Random(seed), 0, path / "heliograph.db"
    with far_server(path) as (server, do):
        os.environ["SSL_CERT_FILE"] = str(server.ca)
        store = Store(database, TABLES)
        place = place_of(f"imaps://alice%40far.example@127.0.0.1:{server.port}/")
        secret = Vault(bytes(32)).seal(PASSWORD.encode(), "letters")
        store.write_now(lambda tx: rows.add(tx, "letters", "alice", "Letters", place, secret, 1.0))
        store.close()
        lives, reader = Lives(database), Reader(database, int)

        def all_posted() -> Callable[[], bool]:
            late = after(QUIET_SECONDS_MAX)
            return lambda: late() or count(reader) >= written

        lives.live(lambda: bool(reader.one("SELECT 1 FROM far_mailbox WHERE validity > 0")))  # an empty folder
        for _ in range(kills):
            new = chance.randrange(4)
            numbers = range(written + 1, written + new + 1)
            written += new
            do(lambda numbers=numbers: server.add(*(letter(number) for number in numbers)))  # type: ignore[misc]
            if chance.random() < ANEW:
                do(lambda: anew(server))
            lives.live(after(chance.uniform(0, SECONDS_MAX)))
        lives.live(all_posted())
        lives.live(after(1.0))
        lives.end()
    store = Store(database, TABLES)
    headers = store.reader.all("SELECT header FROM queue_message JOIN body_content ON body_content.id = body")
    store.close()
    found = Counter(match[1].decode() for (header,) in headers for match in _TITLE.finditer(bytes(header)))
    wanted = {f"Letter {number}" for number in range(1, written + 1)}
    return [f"lost: {each}" for each in sorted(wanted - set(found))] + [
        f"{times} times: {each}" for each, times in found.items() if times > 1
    ]


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_no_letter_is_lost_or_doubled_over_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "")
    assert run(tmp_path, KILLS, SEED) == [], f"seed {SEED}"

"""kill -9 of a writing process: what it was told is durable is there, and the file is sound."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from store import Bodies, Store
from store.bodies import MIGRATION

WRITER = """
import asyncio, sys
from pathlib import Path
from store import Bodies, Store
from store.bodies import MIGRATION

async def main():
    store = Store(Path(sys.argv[1]), [MIGRATION])
    async def one(n):
        await store.write(lambda tx: Bodies.keep(tx, b"Subject: %d\\r\\n\\r\\n" % n))
        print(n, flush=True)
    for start in range(0, 100_000, 20):
        await asyncio.gather(*(one(n) for n in range(start, start + 20)))

asyncio.run(main())
"""


def test_acknowledged_bodies_survive_kill_9(tmp_path: Path) -> None:
    for round_ in range(3):
        path = tmp_path / f"{round_}.db"
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, cwd=Path.cwd())
        assert child.stdout
        told = [int(child.stdout.readline()) for _ in range(100 + round_ * 37)]
        os.kill(child.pid, signal.SIGKILL)
        told += [int(line) for line in child.stdout.read().split(b"\n")[:-1]]
        child.wait()
        store = Store(path, [MIGRATION])
        kept = {bytes(row[0]) for row in store.reader.all("SELECT header FROM body_content")}
        assert {b"Subject: %d\r\n\r\n" % n for n in told} <= kept
        store.close()
        assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_body_is_stored_once_and_goes_with_its_last_reference(tmp_path: Path) -> None:
    store = Store(tmp_path / "host.db", [MIGRATION])
    content = b"Subject: x\r\n\r\ntext\r\n"
    first = store.write_now(lambda tx: Bodies.keep(tx, content))
    assert store.write_now(lambda tx: Bodies.keep(tx, content)) == first
    store.write_now(lambda tx: Bodies.share(tx, first, 2))
    assert Bodies.read(store.reader, first) == content
    assert Bodies.read_header(store.reader, first) == b"Subject: x\r\n\r\n"
    store.write_now(lambda tx: Bodies.release(tx, first, 3))
    assert Bodies.read(store.reader, first) == content
    store.write_now(lambda tx: Bodies.release(tx, first))
    assert store.reader.one("SELECT count(*) FROM body") == (0,)
    store.close()

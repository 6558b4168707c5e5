"""Opening a timeline after a week away, on a host with 100,000 accounts: `--quick`, `--json`.

Law: the host's IMAP server in a process of its own, over a database that holds all accounts and what they follow. A
reader with 500 sources signs in, and SELECT INBOX is timed: it files the 2,000 posts that came meanwhile, durably, and
answers. Nobody opened the timeline before: every reader is measured once, and once more with nothing new.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imap_client import Client

import store.bodies
from mailbox_host import accounts, tables, timeline
from mailbox_host.passwords import hash_password
from store import Bodies, Store, Transaction

HERE = Path(__file__).parent
ACCOUNTS, ACCOUNTS_QUICK = 100_000, 10_000
FOLLOWS = 20  # of each account, among ALL_SOURCES
ALL_SOURCES = 5_000
READERS, READERS_QUICK = 40, 10
SOURCES, NEW_POSTS = 500, 2_000  # of each reader
OTHER_POSTS = 18_000  # of the week, by sources that no reader follows
POST_OCTETS = 2_048
AT_ONCE = 5_000
PASSWORD = "correct horse"
OPENED_MS_MAX = 50.0
WEEK_SECONDS = 7 * 86_400


def settle(database: Store, count: int, readers: int) -> None:
    """Make accounts and follows, as years of welcomes would have left them."""
    now, chance = time.time() - WEEK_SECONDS, random.Random(7)
    hashed = hash_password(PASSWORD.encode())
    names = [(f"reader{n}", hashed) for n in range(readers)] + [(f"other{n}", None) for n in range(count - readers)]

    def work(tx: Transaction, some: list[tuple[str, str | None]]) -> None:
        accounts.add_many(tx, some, now)
        places = dict(
            tx.all("SELECT account, id FROM folder WHERE name = 'INBOX' ORDER BY id DESC LIMIT ?", (len(some),))
        )
        for account, inbox in places.items():
            sources = range(SOURCES) if account <= readers else chance.sample(range(ALL_SOURCES), FOLLOWS)
            rows = [(account, f"source{n}", 1, 1, 2**62, inbox, 0) for n in sources]
            tx.executemany("INSERT INTO follow VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    for start in range(0, count, AT_ONCE):
        database.write_now(lambda tx, some=names[start : start + AT_ONCE]: work(tx, some))


def post(database: Store) -> None:
    """A week's posts: those of the readers' sources among the others', in no order."""
    posts = [(f"source{n % SOURCES}", n // SOURCES + 1) for n in range(NEW_POSTS)]
    posts += [(f"source{SOURCES + n % (ALL_SOURCES - SOURCES)}", n + 1) for n in range(OTHER_POSTS)]
    random.Random(8).shuffle(posts)

    def work(tx: Transaction, some: list[tuple[str, int]]) -> None:
        for source, number in some:
            head = f"From: {source}@fabric.test\r\nSubject: {number}\r\n\r\n".encode()
            content = head + b"x" * (POST_OCTETS - len(head))
            body = Bodies.keep(tx, content)
            timeline.log_post(tx, timeline.Post(source, number, body, len(content), time.time()))
            Bodies.release(tx, body)

    for start in range(0, len(posts), AT_ONCE):
        database.write_now(lambda tx, some=posts[start : start + AT_ONCE]: work(tx, some))


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """Run bench/imap_host.py over the database in this folder; give its port."""
    command = [sys.executable, str(HERE / "imap_host.py"), str(folder), "{}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout and host.stdin
        try:
            yield int(host.stdout.readline())
        finally:
            host.stdin.close()
            host.wait(30)


def open_timelines(port: int, readers: int) -> tuple[list[float], list[float]]:
    """Return what each reader's first and second SELECT took, in milliseconds."""
    first, second = [], []
    for number in range(readers):
        client = Client(port)
        client(f'LOGIN reader{number} "{PASSWORD}"'.encode())
        for times in (first, second):
            began = time.perf_counter()
            client(b"SELECT INBOX")
            times.append((time.perf_counter() - began) * 1e3)
        client.close()
    return first, second


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def measure(count: int, readers: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="heliograph-bench-") as place:
        folder = Path(place)
        database = Store(folder / "heliograph.db", [store.bodies.MIGRATION, *tables.MIGRATIONS])
        settle(database, count, readers)
        post(database)
        database.close()
        with served(folder) as port:
            first, second = open_timelines(port, readers)
        database = Store(folder / "heliograph.db", [])
        assert database.reader.one("SELECT count(*) FROM entry") == (NEW_POSTS * readers,)
        follows = (database.reader.one("SELECT count(*) FROM follow") or (0,))[0]
        database.close()
    return {
        "accounts": count,
        "follows": follows,
        "sources": SOURCES,
        "new_posts": NEW_POSTS,
        "first_ms": round(first[0], 1),
        "p50_ms": round(statistics.median(first), 1),
        "p95_ms": round(percentile(first, 0.95), 1),
        "again_p50_ms": round(statistics.median(second), 2),
    }


def main() -> int:
    quick = "--quick" in sys.argv
    told = measure(*((ACCOUNTS_QUICK, READERS_QUICK) if quick else (ACCOUNTS, READERS)))
    print(
        f"{told['accounts']:,} accounts, {told['follows']:,} follows; SELECT INBOX with {SOURCES} sources and ", end=""
    )
    print(
        f"{NEW_POSTS:,} new posts: median {told['p50_ms']} ms, p95 {told['p95_ms']} ms (the very first after ", end=""
    )
    print(f"the start: {told['first_ms']} ms); with nothing new: {told['again_p50_ms']} ms")
    if "--json" in sys.argv:
        print(json.dumps(told))
    return int(float(str(told["p50_ms"])) > OPENED_MS_MAX)


if __name__ == "__main__":
    sys.exit(main())

"""What it costs to file a post for 10, 1,000 and 100,000 followers on one host, and to catch up: `--quick`, `--json`.

Law: all sizes and the raw floor take turns in one run, on one disk, each post in a durable transaction of its own; the
floor is SQLite alone, writing one row and one body of the same size.
"""

from __future__ import annotations

import json
import resource
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from directory.names import FabricNames, Leaf
from directory.snapshot import Directory
from mail.control import Welcome
from mail.envelope import Arrival
from mailbox_host import accounts, timeline
from mailbox_host.bell import Bell
from mailbox_host.room import MailboxRoom
from mailbox_host.tables import MIGRATIONS
from store import Bodies, Store, Transaction
from store.bodies import MIGRATION as BODIES

NOW = 1_700_000_000.0
FOLLOWERS = (10, 1_000, 100_000)
POST_OCTETS = 2_048
SOURCES, NEW_POSTS = 500, 2_000
HOST = "host-1"


@dataclass(slots=True)
class Line:
    """What posts cost at one size: seconds of wall and processor, octets written, rows in the log."""

    name: str
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    rows: float = 0.0

    def measure(self, work: Callable[[], object]) -> None:
        written, cpu, wall = octets_written(), time.process_time(), time.perf_counter()
        work()
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)
        self.written.append(octets_written() - written)

    def figures(self) -> dict[str, object]:
        return {
            "name": self.name,
            "log_rows_per_post": self.rows,
            "wall_ms": round(statistics.median(self.wall) * 1e3, 3),
            "cpu_ms": round(statistics.median(self.cpu) * 1e3, 3),
            "written_octets": int(statistics.median(self.written)),
        }


def octets_written() -> int:
    """What this process has handed to the kernel to write."""
    try:
        text = Path("/proc/self/io").read_text()
    except OSError:  # not Linux: blocks, as the system counts them
        return resource.getrusage(resource.RUSAGE_SELF).ru_oublock * 512
    return int(text.split("wchar: ")[1].split()[0])


class Host:
    """A host with so many followers of bob."""

    def __init__(self, folder: Path, followers: int) -> None:
        self.store = Store(folder / f"{followers}.db", [BODIES, *MIGRATIONS])
        names = FabricNames("fabric.test", 64)
        self.room = MailboxRoom(HOST, lambda: Directory(names, 1, {}, (HOST,) * 64, (HOST,) * 64), Bell())
        self.posts = 0
        for start in range(0, followers, 5_000):
            people = [f"reader{n}" for n in range(start, min(start + 5_000, followers))]
            self.store.write_now(lambda tx, people=people: settle(tx, people, [Welcome("bob", 1, 1)]))

    def post(self) -> None:
        self.posts += 1
        arrival_of = content(self.posts)
        self.store.write_now(lambda tx: self._file(tx, arrival_of))

    def _file(self, tx: Transaction, message: bytes) -> None:
        body = Bodies.keep(tx, message)
        self.room.receive(tx, Arrival("", message, body, "", HOST, NOW, NOW), Leaf("bob", HOST))
        Bodies.release(tx, body)

    def rows(self) -> int:
        row = self.store.reader.one("SELECT count(*) FROM post_log")
        return int(row[0]) if row else 0


def settle(tx: Transaction, people: list[str], welcomes: list[Welcome]) -> None:
    accounts.add_many(tx, [(name, None) for name in people], NOW)
    for name in people:
        for word in welcomes:
            timeline.welcome(tx, name, word, NOW)


def content(number: int, source: str = "bob") -> bytes:
    head = f"Heliograph-Source: {source}\r\nHeliograph-Post: {number}\r\nSubject: {number}\r\n\r\n".encode()
    return head + b"x" * (POST_OCTETS - len(head))


class Floor:
    """SQLite alone: a row and a body, durable."""

    def __init__(self, folder: Path) -> None:
        self.connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute("CREATE TABLE log (seq INTEGER PRIMARY KEY, source TEXT, post INTEGER, body BLOB)")
        self.posts = 0

    def post(self) -> None:
        self.posts += 1
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.execute("INSERT INTO log VALUES (NULL, 'bob', ?, ?)", (self.posts, content(self.posts)))
        self.connection.execute("COMMIT")

    def rows(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM log").fetchone()[0])


def file_posts(folder: Path, rounds: int) -> list[Line]:
    """File posts at every size in turn."""
    sides: list[tuple[Line, Host | Floor]] = [(Line("SQLite alone"), Floor(folder))]
    sides += [(Line(f"{followers:,} followers"), Host(folder, followers)) for followers in FOLLOWERS]
    for _ in range(rounds):
        for line, side in sides:
            line.measure(side.post)
    for line, side in sides:
        line.rows = side.rows() / rounds
    return [line for line, _ in sides]


def catch_up(folder: Path, others: int, rounds: int) -> dict[str, object]:
    """Let an account with 500 sources catch up with 2,000 new posts, in a log with many posts of others."""
    store = Store(folder / "catch_up.db", [BODIES, *MIGRATIONS])
    people = [f"reader{n}" for n in range(rounds)]
    words = [Welcome(f"source{n}", 1, 1) for n in range(SOURCES)]
    store.write_now(lambda tx: settle(tx, people, words))
    for start in range(0, others, 5_000):
        store.write_now(lambda tx, start=start: log(tx, [("other", n) for n in range(start, start + 5_000)]))
    new = [(f"source{n % SOURCES}", n // SOURCES + 1) for n in range(NEW_POSTS)]
    store.write_now(lambda tx: log(tx, new))
    line = Line("catch up")
    for name in people:
        line.measure(lambda name=name: store.write_now(lambda tx: timeline.catch_up(tx, name)))
    assert store.reader.one("SELECT count(*) FROM entry") == (NEW_POSTS * rounds,)
    idle, elsewhere = Line("nothing new"), Line("only others' posts are new")
    for name in people:
        idle.measure(lambda name=name: timeline.behind(store.reader, name))
    store.write_now(lambda tx: log(tx, [("other", others)]))
    for name in people:
        elsewhere.measure(lambda name=name: timeline.behind(store.reader, name))
    store.close()
    figures = {"sources": SOURCES, "posts": NEW_POSTS, "log_rows": others + NEW_POSTS}
    looks = {"nothing_new_ms": idle.figures()["wall_ms"], "only_others_new_ms": elsewhere.figures()["wall_ms"]}
    return {**figures, **line.figures(), **looks}


def log(tx: Transaction, posts: list[tuple[str, int]]) -> None:
    for source, number in posts:
        message = content(number, source)
        body = Bodies.keep(tx, message)
        timeline.log_post(tx, timeline.Post(source, number, body, len(message), NOW))
        Bodies.release(tx, body)


def main() -> None:
    quick = "--quick" in sys.argv
    folder = Path(tempfile.mkdtemp(prefix="heliograph-bench-"))
    try:
        lines = [line.figures() for line in file_posts(folder, 300 if quick else 2_000)]
        caught = catch_up(folder, 20_000 if quick else 200_000, 5 if quick else 20)
    finally:
        shutil.rmtree(folder)
    print(f"{'a post filed, durably':24}{'log rows':>10}{'wall ms':>10}{'CPU ms':>10}{'octets written':>16}")
    for line in lines:
        print(f"{line['name']:24}{line['log_rows_per_post']:>10}{line['wall_ms']:>10}{line['cpu_ms']:>10}", end="")
        print(f"{line['written_octets']:>16}")
    print(
        f"\n{SOURCES} sources, {NEW_POSTS:,} new posts in a log of {caught['log_rows']:,}: "
        f"caught up in {caught['wall_ms']} ms ({caught['cpu_ms']} ms CPU); nothing new: {caught['nothing_new_ms']} ms, "
        f"only others' posts new: {caught['only_others_new_ms']} ms"
    )
    if "--json" in sys.argv:
        print(json.dumps({"filing": lines, "catch_up": caught}))


if __name__ == "__main__":
    main()

"""kill -9 of a polling host at random moments: no item of any feed is lost, none is posted twice.

HELIOGRAPH_POLL_KILLS: how many (1,000); HELIOGRAPH_SEED: of when.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from store import Reader, Store
from tests.soak.polling_child import TABLES

KILLS = int(os.environ.get("HELIOGRAPH_POLL_KILLS", "1000"))
SEED = int(os.environ.get("HELIOGRAPH_SEED", "0")) or random.randrange(1, 2**31)
FEEDS = 12
SECONDS_MAX = 0.5  # of a life that ends anywhere: the first document is read after some 0.3
BUSY_SECONDS = 0.03  # in which most feeds are written down, once the first is
IDLE_SECONDS_MAX = 3.0  # for the first, where there is anything new
QUIET_SECONDS_MAX = 60.0
ANYWHERE = 0.3  # of lives: they end at any moment, the others while posts are made
WRITES = 0.7  # the chance that a feed has something new, per life
LISTED = 40  # a feed lists its newest: what is older is lost to whoever did not come
EVERY = 10  # lives: one goes on until nothing is behind
_TITLE = re.compile(rb"^Subject: (feed \d+ item \d+)\r$", re.MULTILINE)


class Feeds:
    """What is published; it is read by the web server's threads."""

    def __init__(self) -> None:
        self.items = [1] * FEEDS

    def document(self, feed: int) -> bytes:
        newest = self.items[feed]
        numbers = range(newest, max(newest - LISTED, 0), -1)
        items = "".join(f"<item><guid>{n}</guid><title>feed {feed} item {n}</title></item>" for n in numbers)
        return (
            f"<?xml version='1.0'?><rss version='2.0'><channel><title>F{feed}</title>{items}</channel></rss>".encode()
        )


@contextmanager
def site(feeds: Feeds) -> Iterator[int]:
    class Web(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = feeds.document(int(self.path[1:]))
            tag = f'"{hash(body)}"'
            same = self.headers["If-None-Match"] == tag
            self.send_response(304 if same else 200)
            self.send_header("ETag", tag)
            self.send_header("Content-Length", str(0 if same else len(body)))
            self.end_headers()
            if not same:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Who asked was killed."""

    server = Server(("127.0.0.1", 0), Web)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


class Lives:
    """Children of one launcher, each killed before the next is born."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-m", "tests.soak.polling_child", str(path)]
        self._launcher = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def live(self, enough: Callable[[], bool]) -> None:
        assert self._launcher.stdin and self._launcher.stdout
        self._launcher.stdin.write("fork\n")
        self._launcher.stdin.flush()
        child = int(self._launcher.stdout.readline())
        while not enough():
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        while Path(f"/proc/{child}").exists():
            time.sleep(0.001)

    def end(self) -> None:
        self._launcher.communicate(timeout=10)


def after(seconds: float) -> Callable[[], bool]:
    then = time.monotonic() + seconds
    return lambda: time.monotonic() >= then


def count(reader: Reader) -> int:
    """How many posts are in the queue; not what a poller asks the lists."""
    sql = (
        "SELECT count(*) FROM queue_message JOIN body_content ON body_content.id = body"
        " WHERE instr(header, CAST('Subject: feed ' AS BLOB))"
    )
    return int(reader.all(sql)[0][0])


def when_posted(reader: Reader, feeds: Feeds) -> Callable[[], bool]:
    """Until as much is posted as is published; what is missing then is missing for good."""
    late = after(QUIET_SECONDS_MAX)
    return lambda: late() or count(reader) >= sum(feeds.items)


def amid_posting(reader: Reader, seconds: float) -> Callable[[], bool]:
    """Until so long after the first of this life's commits that the ends of many polls lie around it."""
    before, late = count(reader), after(IDLE_SECONDS_MAX)
    began: list[Callable[[], bool]] = []

    def enough() -> bool:
        if not began and count(reader) > before:
            began.append(after(seconds))
        return late() or any(end() for end in began)

    return enough


def seed_feeds(path: Path, port: int) -> None:
    columns = "id, url, domain, bucket, source, title, created_at, next_due"
    rows = [
        (n + 1, f"http://h{n}.co.uk:{port}/{n}", f"h{n}.co.uk", n % 16, f"f-{n}", f"F{n}", 1.0, 1.0)
        for n in range(FEEDS)
    ]
    store = Store(path, TABLES)
    store.write_now(lambda tx: tx.executemany(f"INSERT INTO feed ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows))
    store.close()


def posted(path: Path) -> Counter[str]:
    """Every item that stands in the queue, and how often."""
    store = Store(path, TABLES)
    headers = store.reader.all("SELECT header FROM queue_message JOIN body_content ON body_content.id = body")
    store.close()
    return Counter(found[1].decode() for (header,) in headers for found in _TITLE.finditer(bytes(header)))


def run(path: Path, kills: int, seed: int) -> list[str]:
    chance, feeds = random.Random(seed), Feeds()
    with site(feeds) as port:
        seed_feeds(path, port)
        lives, reader = Lives(path), Reader(path, int)
        lives.live(when_posted(reader, feeds))
        for life in range(kills):
            for feed in range(FEEDS):
                feeds.items[feed] += chance.random() < WRITES
            at = after(chance.uniform(0, SECONDS_MAX)) if chance.random() < ANYWHERE else None
            lives.live(at or amid_posting(reader, chance.uniform(0, BUSY_SECONDS)))
            if life % EVERY == EVERY - 1:
                lives.live(when_posted(reader, feeds))
        lives.live(when_posted(reader, feeds))
        lives.end()
    found = posted(path)
    wanted = {f"feed {feed} item {n}" for feed in range(FEEDS) for n in range(1, feeds.items[feed] + 1)}
    lost = [f"lost: {item}" for item in sorted(wanted - set(found))]
    return lost + [f"{times} times: {item}" for item, times in found.items() if times > 1 or item not in wanted]


@pytest.mark.soak
def test_no_item_is_lost_or_doubled_at_a_thousand_kills(tmp_path: Path) -> None:
    assert run(tmp_path / "heliograph.db", KILLS, SEED) == [], f"seed {SEED}"


def test_no_item_is_lost_or_doubled_at_a_few_kills(tmp_path: Path) -> None:
    assert run(tmp_path / "heliograph.db", 4, SEED) == [], f"seed {SEED}"

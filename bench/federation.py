"""One post to very many followers in another fabric, and what crosses between the two: `--quick`, `--json`.

Law: the two fabrics are processes of their own and find each other by DNS. All that the one sends to the other passes a
tap, which counts messages where the other side says 354. A follower counts when her timeline shows the post. The
followers are put into the databases as their commands would have left them; the first one's command is real, and so is
the mirror that it makes.
"""

from __future__ import annotations

import json
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from heliograph.demo.across import acquaint
from heliograph.demo.people import Person, letter
from heliograph.demo.stage import Stage, stage
from heliograph.tables import MIGRATIONS
from mail.control import Welcome
from mailbox_host import accounts, timeline
from store import Store, Transaction

FOLLOWERS, FOLLOWERS_QUICK = 100_000, 5_000
HERE, THERE = "fabric.test", "other.test"
MIRROR = f"bob={HERE}"
POSTS, POSTS_QUICK = 10, 3
TAP_PORT = 2555
BATCH = 2_000
SETTLE_SECONDS_MAX = 60.0
LOOK_AGAIN_SECONDS = 0.002


@dataclass(slots=True)
class Tap:
    """A relay before the other fabric's port 25, without TLS so that it can count."""

    messages: int = 0
    octets: int = 0

    def reset(self) -> None:
        self.messages = self.octets = 0


@contextmanager
def tap(address: str, port: int) -> Iterator[Tap]:
    count = Tap()
    with closing(socket.create_server((address, TAP_PORT))) as door:
        threading.Thread(target=_serve, args=(door, (address, port), count), daemon=True).start()
        yield count


def _serve(door: socket.socket, there: tuple[str, int], count: Tap) -> None:
    with suppress(OSError):
        while True:
            client, _ = door.accept()
            server = socket.create_connection(there)
            threading.Thread(target=_pass, args=(client, server, count, True), daemon=True).start()
            threading.Thread(target=_pass, args=(server, client, count, False), daemon=True).start()


def _pass(source: socket.socket, target: socket.socket, count: Tap, outward: bool) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            if outward:
                count.octets += len(data)
            else:
                count.messages += data.count(b"354 ")
                data = data.replace(b"250-STARTTLS\r\n", b"")
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def asking(there: Stage) -> Iterator[sqlite3.Connection]:
    path = there.config.host_folder("host-1") / "heliograph.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        yield connection


def wait_until(there: Stage, sql: str, wanted: int, what: str) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    with asking(there) as database:
        while database.execute(sql).fetchone()[0] < wanted:
            if time.monotonic() > deadline:
                raise SystemExit(what)
            time.sleep(LOOK_AGAIN_SECONDS)


def follow_first(there: Stage) -> None:
    """The first reader's own command, which makes the mirror."""
    Person(there, "reader0", 1).send(f"bob+subscribe@reflectors.{HERE}", "")
    wait_until(there, "SELECT count(*) FROM mirror WHERE state = 'following'", 1, "the mirror does not follow")


def settle(there: Stage, followers: int) -> None:
    """The others. The fabric is down."""
    path = there.config.host_folder("host-1") / "heliograph.db"
    with asking(there) as database:
        (password,) = database.execute("SELECT password FROM account WHERE name = 'reader0'").fetchone()
    store = Store(path, MIGRATIONS)
    for start in range(1, followers, BATCH):
        part = range(start, min(start + BATCH, followers))
        store.write_now(lambda tx, part=part: _settle(tx, part, password))
    store.write_now(lambda tx: tx.execute("UPDATE source SET generation = ?", (followers + 1,)) and None)
    store.close()


def _settle(tx: Transaction, numbers: range, password: str) -> None:
    now = time.time()
    accounts.add_many(tx, [(f"reader{number}", password) for number in numbers], now)
    for number in numbers:
        timeline.welcome(tx, f"reader{number}", Welcome(MIRROR, 1, number + 1), now)


def post(here: Stage, number: int) -> float:
    """Submit a post; return the moment of its 250."""
    bob = Person(here, "bob", 1)
    with bob.submission() as client:
        client.send_message(letter(bob.address, f"bob@reflectors.{HERE}", f"post {number}", "Fog. " * 400, HERE))
        return time.time()


def shown(there: Stage) -> int:
    """Count the posts that the timelines show, all together."""
    covered = "f.source = l.source AND l.post >= f.from_post AND l.post < f.until_post"
    with asking(there) as database:
        sql = f"SELECT count(*) FROM post_log l JOIN follow f ON {covered} WHERE l.source = ?"
        return int(database.execute(sql, (MIRROR,)).fetchone()[0])


def point_at_tap(here: Stage) -> None:
    path = here.root / "heliograph.toml"
    path.write_text(path.read_text().replace(f"foreign_port = {here.config.ports.smtp}", f"foreign_port = {TAP_PORT}"))


def main() -> int:
    quick = "--quick" in sys.argv
    followers, posts = (FOLLOWERS_QUICK, POSTS_QUICK) if quick else (FOLLOWERS, POSTS)
    with ExitStack() as stages:
        here = stages.enter_context(stage(hosts=1))
        there = stages.enter_context(stage(hosts=1, options=("--domain", THERE, "--buckets", "1000")))
        acquaint(here, there)
        point_at_tap(here)
        count = stages.enter_context(tap(there.address(1), there.config.ports.smtp))
        here.add_people("bob")
        there.add_people("reader0")
        here.start()
        there.start()
        follow_first(there)
        there.stop()
        settle(there, followers)
        there.start()
        count.reset()
        seconds = []
        for number in range(1, posts + 1):
            at = post(here, number)
            wait_until(there, f"SELECT count(*) FROM post_log WHERE source = '{MIRROR}'", number, "a post is lost")
            seconds.append(time.time() - at)
        time.sleep(1.0)  # whatever else might cross
        total = shown(there)
    return tell(followers, posts, count, sorted(seconds)[posts // 2], total)


def tell(followers: int, posts: int, count: Tap, seconds: float, total: int) -> int:
    each = count.messages / posts
    print(f"{posts} posts to {followers:,} followers in another fabric, a post of 2 KB:")
    print(f"  messages between the fabrics    {count.messages} ({each:g} a post)")
    print(
        f"  octets between the fabrics      {count.octets:,} ({count.octets // posts:,} a post, all commands counted)"
    )
    print(f"  timelines that show them        {total:,} of {followers * posts:,}")
    print(f"  from bob's 250 to all of them   {seconds * 1e3:.0f} ms (median)")
    if "--json" in sys.argv:
        figures = {
            "followers": followers,
            "posts": posts,
            "messages_per_post": each,
            "octets_per_post": count.octets // posts,
            "shown": total,
            "seconds": round(seconds, 4),
        }
        print(json.dumps(figures))
    return int(count.messages != posts or total != followers * posts)


if __name__ == "__main__":
    sys.exit(main())

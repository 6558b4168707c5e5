"""A fabric with a source that very many follow, as bench/fanout.py measures it.

Law: the followers are put into the databases as their commands would have left them, a flat list; what grows of it
is the fabric's own doing.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from heliograph.demo.people import Person, letter
from heliograph.demo.stage import Stage, stage
from heliograph.published import published_directory
from heliograph.tables import MIGRATIONS
from mail.control import Welcome
from mailbox_host import accounts, timeline
from reflector.nodes import look_at
from reflector.subscriptions import Subscriber, subscribe
from store import Store, Transaction

SOURCE = "bob"
BATCH = 2_000
TICKS = os.sysconf("SC_CLK_TCK")
LOOK_AGAIN_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Use:
    """What processes used: CPU seconds, octets sent to disks."""

    cpu: float
    octets: int

    def __sub__(self, other: Use) -> Use:
        return Use(self.cpu - other.cpu, self.octets - other.octets)


class Crowd:
    """A fabric whose `followers` follow bob; the hosts are up."""

    def __init__(self, here: Stage, followers: int) -> None:
        self.here = here
        self.names = [f"reader{number}" for number in range(followers)]
        directory = published_directory(here.config)
        self.home = {name: directory.owner("timeline", directory.names.bucket(name)) for name in self.names}
        self.root = directory.owner("reflectors", directory.names.bucket(SOURCE))
        self.hosts = [host.name for host in here.config.hosts]
        self.bob = Person(here, SOURCE, self.hosts.index(self.root) + 1)
        self.posts = 0

    def database(self, host: str) -> Path:
        return self.here.config.host_folder(host) / "heliograph.db"

    @contextmanager
    def asking(self, host: str) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(f"file:{self.database(host)}?mode=ro", uri=True)) as connection:
            yield connection

    def settle(self) -> None:
        """Give everybody an account with bob's password, and let them follow bob. The hosts are down."""
        with self.asking(self.bob_home()) as connection:
            (password,) = connection.execute("SELECT password FROM account WHERE name = ?", (SOURCE,)).fetchone()
        for host in self.hosts:
            mine = [(number, name) for number, name in enumerate(self.names, 1) if self.home[name] == host]
            store = Store(self.database(host), MIGRATIONS)
            for start in range(0, len(mine), BATCH):
                part = mine[start : start + BATCH]
                store.write_now(lambda tx, part=part: _settle(tx, part, password))
            store.close()
        self._subscribe_all()

    def bob_home(self) -> str:
        directory = published_directory(self.here.config)
        return directory.owner("timeline", directory.names.bucket(SOURCE))

    def _subscribe_all(self) -> None:
        names = published_directory(self.here.config).names
        rows = [(n, Subscriber(names.person(name), name)) for n, name in enumerate(self.names, 1)]
        rows = [(n, who) for n, who in rows if self.home[who.entity] != self.root]
        store = Store(self.database(self.root), MIGRATIONS)
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            store.write_now(
                lambda tx, part=part: [subscribe(tx, SOURCE, who, 1, n, "", "INBOX") for n, who in part] and None
            )
        store.write_now(self._grown)
        store.close()

    def _grown(self, tx: Transaction) -> None:
        tx.execute("UPDATE source SET generation = ? WHERE name = ?", (len(self.names) + 1, SOURCE))
        look_at(tx, SOURCE, 0.0)

    def post(self) -> float:
        """Submit a post; return the moment of its 250."""
        self.posts += 1
        domain = self.here.config.domain
        message = letter(self.bob.address, f"{SOURCE}@reflectors.{domain}", f"post {self.posts}", "Fog. " * 400, domain)
        with self.bob.submission() as client:
            client.send_message(message)
            return time.time()

    def leaves(self) -> int:
        """Count the hosts whose followers were taken over."""
        with self.asking(self.root) as database:
            (count,) = database.execute("SELECT count(*) FROM branch WHERE list = ?", (SOURCE,)).fetchone()
            return int(count)

    def pids(self) -> list[int]:
        return [int((self.here.config.host_folder(host) / "lock").read_text()) for host in self.hosts]

    def use(self) -> Use:
        """What the hosts have used since they started."""
        return Use(sum(map(_cpu, self.pids())), sum(map(_written, self.pids())))


def _settle(tx: Transaction, people: list[tuple[int, str]], password: str) -> None:
    now = time.time()
    accounts.add_many(tx, [(name, password) for _, name in people], now)
    for generation, name in people:
        timeline.welcome(tx, name, Welcome(SOURCE, 1, generation), now)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _written(pid: int) -> int:
    text = Path(f"/proc/{pid}/io").read_text()
    return int(text.split("\nwrite_bytes: ")[1].split()[0])


@contextmanager
def crowd(followers: int) -> Iterator[Crowd]:
    with stage(hosts=3) as here:
        here.add_people(SOURCE)
        here.start()
        people = Crowd(here, followers)
        _await_source(people)
        here.stop()
        people.settle()
        yield people


def _await_source(people: Crowd) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with people.asking(people.root) as connection:
            if connection.execute("SELECT 1 FROM source WHERE name = ?", (SOURCE,)).fetchone():
                return
        time.sleep(0.1)
    raise SystemExit("the source was not created")


def read_all(people: Crowd, readers: int) -> Use:
    """Let the first followers open their timelines, each in a transaction of its own; return what that cost. The
    hosts are down."""
    before = Use(time.process_time(), _written(os.getpid()))
    for host in people.hosts:
        store = Store(people.database(host), MIGRATIONS)
        for name in people.names[:readers]:
            if people.home[name] == host:
                store.write_now(lambda tx, name=name: timeline.catch_up(tx, name))
        store.close()
    return Use(time.process_time(), _written(os.getpid())) - before

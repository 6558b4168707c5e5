"""What is read from the log, put into a file, is the database: whatever the writer and SQLite do to the log."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliograph.standby.record import Kind, Record, copied, copy_begins, of_span, unpack
from heliograph.standby.replica import CHUNK_OCTETS, Replica, digest
from store import Store, Transaction
from store.shipping import Shipment
from store.wal import START, Position
from tests.standby.pair import MIGRATIONS, whole

Move = tuple[str, int]
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["small", "large", "delete", "undone", "spilled", "nothing", "checkpoint", "apply", "again"]),
        st.integers(1, 60),
    ),
    max_size=25,
)


class Owner:
    """A database whose commits go straight into a replica."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "owner.db"
        self.store = Store(self.path, MIGRATIONS)
        self.store.write_now(lambda tx: tx.execute("PRAGMA cache_size = 20").fetchall())  # so that long work spills
        self.replica = Replica(folder / "replica")
        self._copy()

    def close(self) -> None:
        self.store.close()
        self.replica.close()

    def put(self, *records: Record) -> None:
        packed = [record.pack() for record in records]
        self.replica.append(packed, [unpack(octets) for octets in packed])

    def take(self, shipment: Shipment) -> None:
        """In the writer's thread."""
        for span in shipment.spans or ():
            self.put(of_span(span, 4096, 1.0))
            self.store.shipping.sent(len(span.octets))

    def live(self, position: Position) -> None:
        """Read what is there, then every commit."""
        held = self.store.shipping.hold().result()
        for span in held.wal.read(position, held.position, 100_000):
            self.put(of_span(span, 4096, 1.0))
        shipment = self.store.shipping.go_live(held.position, self.take).result()
        assert shipment.spans == []

    def again(self) -> None:
        """The stream broke and was begun anew, from the log if it can be."""
        self.store.shipping.stop().result()
        self.replica.cut()
        shipment = self.store.shipping.go_live(self.replica.reached, self.take).result()
        if shipment.is_lost:
            self.replica.seal()
            self.replica.apply()
            self._copy()
        else:
            self.take(shipment)

    def _copy(self) -> None:
        held = self.store.shipping.hold().result()
        pages = held.wal.file_octets() // 4096
        base = Position(held.position.salts, 0, bytes(8))
        begun = copy_begins(base, 4096, pages, 1.0)
        self.replica.begin("id", begun.pack(), begun)
        for number in range(-(-pages * 4096 // CHUNK_OCTETS)):
            chunk = held.wal.read_pages(number * CHUNK_OCTETS, CHUNK_OCTETS)
            if self.replica.lacks(number, [digest(chunk)]):
                self.put(copied(begun, number * CHUNK_OCTETS // 4096, chunk))
        self.live(base)
        self.replica.end("id")

    def do(self, what: str, n: int) -> None:
        match what:
            case "checkpoint":
                self.store.write_now(lambda tx: None)
                with contextlib.closing(sqlite3.connect(self.path)) as connection:
                    connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
            case "apply":
                self.replica.seal()
                self.replica.apply()
            case "again":
                self.again()
            case _:
                with contextlib.suppress(ZeroDivisionError):
                    self.store.write_now(lambda tx: work(tx, what, n))
                self.store._writer.between(lambda tx: None).result()  # what was committed has been passed on

    def same(self) -> None:
        self.replica.seal()
        self.replica.apply()
        whole(self.replica.path)
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert self.path.read_bytes() == self.replica.path.read_bytes()


def work(tx: Transaction, what: str, n: int) -> None:
    text = random.Random(n).randbytes(50).hex()
    match what:
        case "small":
            tx.execute("INSERT INTO word (text) VALUES (?)", (text * n,))
        case "large" | "undone" | "spilled":
            tx.executemany("INSERT INTO word (text) VALUES (?)", [(text * 40,) for _ in range(n * 4)])
        case "delete":
            tx.execute("DELETE FROM word WHERE n % ? = 0", (n,))
    if what == "undone":
        raise ZeroDivisionError


@contextlib.contextmanager
def owner() -> Iterator[Owner]:
    folder = Path(tempfile.mkdtemp())
    found = Owner(folder)
    try:
        yield found
    finally:
        found.close()
        shutil.rmtree(folder)


@settings(max_examples=12)
@given(MOVES)
def test_the_replica_is_the_database(moves: list[Move]) -> None:
    with owner() as here:
        for what, n in moves:
            here.do(what, n)
        here.same()


@settings(max_examples=8)
@given(MOVES, st.integers(0, 1 << 30), st.booleans())
def test_a_log_that_a_crash_cut_anywhere_gives_a_moment_that_was(moves: list[Move], at: int, flip: bool) -> None:
    """And what is put into the file twice, or half and then again, is put there once."""
    with owner() as here:
        here.replica.seal()
        here.replica.apply()
        moments = {here.replica.reached: texts(here.path)}
        for what, n in moves:
            if what not in ("apply", "again"):
                here.do(what, n)
                moments[here.replica.reached] = texts(here.path)
        log = max((here.replica.folder).glob("pages-*.log"), key=lambda path: path.stat().st_size)
        octets = bytearray(log.read_bytes())
        if octets and flip:
            octets[at % len(octets)] ^= 1
            log.write_bytes(octets)
        else:
            log.write_bytes(octets[: at % (len(octets) + 1)])
        again = Replica(here.replica.folder)
        assert again.reached in moments
        expected = moments[again.reached]
        again.seal()
        kept = {path: path.read_bytes() for path in again.folder.iterdir()}
        again.apply()
        assert texts(again.path) == expected
        for path, content in kept.items():  # the crash comes before the position was written
            if path.name != "heliograph.db":
                path.write_bytes(content)
        third = Replica(here.replica.folder)
        third.seal()
        third.apply()
        assert texts(third.path) == expected
        again.close()
        third.close()


def texts(path: Path) -> list[tuple[int, str]]:
    where = f"{path.as_uri()}?mode=ro" + ("&immutable=1" if path.name == "heliograph.db" else "")
    with contextlib.closing(sqlite3.connect(where, uri=True)) as connection:
        return list(connection.execute("SELECT n, text FROM word"))


def test_a_commit_of_many_pieces_counts_when_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.shipping.SPAN_OCTETS_MAX", 4120 * 3)
    monkeypatch.setattr("store.shipping.ON_THEIR_WAY_OCTETS_MAX", 1 << 40)
    with owner() as here:
        pieces: list[Record] = []
        put = here.put
        here.put = lambda *records: pieces.extend(records)  # type: ignore[method-assign]
        here.do("large", 20)
        assert len(pieces) > 5 and [piece.ends_commit for piece in pieces].count(True) == 1
        reached = here.replica.reached
        put(*pieces[:-1])
        assert here.replica.reached == reached and not here.replica.seal()
        here.replica.cut()
        put(*pieces)
        assert here.replica.reached == pieces[-1].after and pieces[-1].kind == Kind.FRAMES
        here.same()


def test_a_log_that_nobody_has_written_to_is_like_no_other(tmp_path: Path) -> None:
    path = tmp_path / "owner.db"
    for _ in range(3):
        store = Store(path, MIGRATIONS)
        assert store.shipping.go_live(START, lambda shipment: None).result().is_lost
        store.close()


def test_what_is_too_much_to_keep_stays_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.shipping.ON_THEIR_WAY_OCTETS_MAX", 100_000)
    monkeypatch.setattr("store.shipping.CHECKPOINT_PAGES", 10)  # the log begins anew all the time, if it may
    store, took = Store(tmp_path / "owner.db", MIGRATIONS), list[Shipment]()
    store.shipping.go_live(store.shipping.hold().result().position, took.append).result()
    for n in range(1, 100):
        store.write_now(lambda tx, n=n: work(tx, "small", n))
    held = store.shipping.hold().result()
    assert [shipment.spans is None for shipment in took].index(True) == len(took) - 1 > 5
    assert took[-2].spans and held.goes_on_from(took[-2].spans[-1].after)
    store.shipping.stop().result()
    for n in range(1, 20):
        store.write_now(lambda tx, n=n: work(tx, "small", n))
    assert not store.shipping.hold().result().goes_on_from(held.position)
    store.close()


def test_a_log_that_is_held_is_not_written_over(tmp_path: Path) -> None:
    """Not even one that a checkpoint has copied whole, which the next commit would write over."""
    store = Store(tmp_path / "owner.db", MIGRATIONS)
    store.write_now(lambda tx: work(tx, "large", 3))
    store.write_now(lambda tx: None)
    with contextlib.closing(sqlite3.connect(tmp_path / "owner.db")) as connection:
        busy, all_, copied_ = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    assert not busy and all_ == copied_
    held = store.shipping.hold().result()
    for n in range(1, 5):
        store.write_now(lambda tx, n=n: work(tx, "small", n))
    assert store.shipping.hold().result().goes_on_from(held.position)
    store.close()


def test_a_log_that_is_read_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.shipping.CHECKPOINT_PAGES", 10)
    store = Store(tmp_path / "owner.db", MIGRATIONS)
    store.shipping.go_live(store.shipping.hold().result().position, lambda shipment: None).result()
    for n in range(1, 60):
        store.write_now(lambda tx, n=n: work(tx, "small", 20))
    assert store.shipping.hold().result().position.frame < 40
    store.close()


def test_a_position_is_all_that_was_before_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "owner.db", MIGRATIONS)
    store.write_now(lambda tx: work(tx, "large", 3))
    held = store.shipping.hold().result()
    here = held.position
    assert held.goes_on_from(here) and held.goes_on_from(here._replace(frame=0, sum=bytes(8)))
    for other in (here._replace(sum=b"anothers"), here._replace(salts=b"anothers"), here._replace(frame=10**6)):
        assert not held.goes_on_from(other)
    store.close()

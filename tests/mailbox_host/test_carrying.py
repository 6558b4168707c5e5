"""Accounts read out of one host and put into another: the same there, also when they change on the way."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.control import Goodbye, Welcome
from mailbox_host import accounts, carrying, entries, folders, hashing, skipping, timeline, unpacking
from mailbox_host.carrying import Told
from mailbox_host.hashing import Hashed
from mailbox_host.tables import MIGRATIONS
from store import Bodies, Store
from store.bodies import MIGRATION as STORE_MIGRATION


class Pair:
    """Two hosts' databases."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.a, self.b = (Store(root / f"{name}.db", [STORE_MIGRATION, *MIGRATIONS]) for name in "ab")
        self.told, self.hashed = Told(), (Hashed(), Hashed())
        self.layout = carrying.layout(self.a.reader)

    def carry(self, name: str = "alice") -> None:
        """Bring what is new across, bodies first, and let them go again as the stream does."""
        for part in carrying.parts(self.layout, self.a.reader, name, self.told):
            wanted = Bodies.by_digest(self.a.reader, carrying.bodies_of(part))
            contents = [Bodies.read(self.a.reader, body) for body in wanted.values()]

            def work(tx, part=part, contents=contents):  # type: ignore[no-untyped-def]
                held = [Bodies.keep(tx, content) for content in contents]
                unpacking.put(self.layout, tx, part)
                for body in held:
                    Bodies.release(tx, body)

            self.b.write_now(work)
            self.hashed[1].touch(part)

    def digests(self, hashed: tuple[Hashed | None, Hashed | None]) -> list[str]:
        both = zip((self.a, self.b), hashed, strict=True)
        return [carrying.digest(self.layout, store.reader, "alice", known) for store, known in both]

    def same(self, name: str = "alice") -> bool:
        return carrying.digest(self.layout, self.a.reader, name) == carrying.digest(self.layout, self.b.reader, name)

    def close(self) -> None:
        self.a.close()
        self.b.close()


@pytest.fixture
def pair(tmp_path: Path):  # type: ignore[no-untyped-def]
    two = Pair(tmp_path)
    two.a.write_now(lambda tx: accounts.add(tx, "alice", "hash", 5.0))
    yield two
    two.close()


def change(tx, what: int, at: int) -> None:  # type: ignore[no-untyped-def]
    """One of the things that can happen to an account."""
    held = folders.list_folders(tx, "alice")[:6]
    folder, other = held[at % len(held)], held[(at // 7) % len(held)]
    uids = [row[0] for row in tx.all("SELECT uid FROM entry WHERE folder = ?", (folder.id,))]
    some = uids[at % 3 :: 2]
    number = at % 5 + 1
    body = Bodies.keep(tx, b"Subject: post %d\r\n\r\n" % number)
    match what % 10:
        case 0:
            entries.append(tx, "alice", folder.id, b"Subject: %d\r\n\r\n" % at, at % 4, frozenset(), float(at))
        case 1:
            entries.expunge(tx, folder.id, some)
        case 2:
            entries.move(tx, folder.id, some, other.id, 1.0)
        case 3:
            entries.store_flags(tx, folder.id, some, "+", 1, frozenset({f"k{at}"}))
        case 4:
            timeline.welcome(tx, "alice", Welcome("bob", 1, at % 9 + 1, f"News{at % 2}"), 1.0)
        case 5:
            timeline.goodbye(tx, "alice", Goodbye("bob", number, at % 9 + 1))
        case 6:
            timeline.log_post(tx, timeline.Post("bob", number, body, 20, 1.0))
            timeline.catch_up(tx, "alice")
        case 7 if folder.name != "INBOX":
            folders.delete_folder(tx, "alice", folder.name)
        case 8 if folder.id != other.id and "INBOX" not in (folder.name, other.name):
            with contextlib.suppress(folders.FolderError):
                tx.nested(lambda part: swap(part, folder.name, other.name))
        case 9:
            tx.execute("DELETE FROM expunged WHERE folder = ?", (folder.id,))
            tx.execute("UPDATE folder SET forgotten = modseq WHERE id = ?", (folder.id,))
        case 8:
            skipping.skip_uids(tx, "alice")
    Bodies.release(tx, body)


def swap(tx, one: str, two: str) -> None:  # type: ignore[no-untyped-def]
    folders.rename_folder(tx, "alice", one, "aside", 1.0)
    folders.rename_folder(tx, "alice", two, one, 1.0)
    folders.rename_folder(tx, "alice", "aside", two, 1.0)


# 10: what is new is carried; 11: both hash what they have; 12: the stream breaks, and the next knows of nothing
STEPS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1000)), max_size=40)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_whatever_happens_on_the_way_both_have_the_same_at_the_end(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]]
) -> None:
    pair = Pair(tmp_path_factory.mktemp("pair"))
    hashing.PIECE_UIDS = 3
    pair.a.write_now(lambda tx: accounts.add(tx, "alice", "hash", 5.0))
    for what, at in steps:
        if what == 10:
            pair.carry()
        elif what == 11:
            assert pair.digests(pair.hashed) == pair.digests((None, None))
        elif what == 12:
            pair.told = Told()
        else:
            pair.a.write_now(lambda tx, what=what, at=at: change(tx, what, at))
    pair.carry()
    assert pair.same()
    assert pair.digests(pair.hashed) == pair.digests((None, None))
    counted = pair.b.reader.all("SELECT id, refs FROM body")
    held = dict(pair.b.reader.all("SELECT body, count(*) FROM entry GROUP BY body"))
    assert dict(counted) == held
    pair.close()


def test_what_a_restored_host_or_an_heir_has_skipped_is_carried_like_anything_else(pair: Pair) -> None:
    def work(tx):  # type: ignore[no-untyped-def]
        inbox = folders.list_folders(tx, "alice")[0].id
        for at in range(3):
            entries.append(tx, "alice", inbox, b"Subject: %d\r\n\r\n" % at, 0, frozenset(), 1.0)
        entries.expunge(tx, inbox, [2])
        skipping.skip_uids(tx)

    pair.a.write_now(work)
    pair.carry()
    assert pair.same()


def test_what_is_not_served_yet_is_nobody(pair: Pair) -> None:
    pair.carry()
    assert not accounts.exists(pair.b.reader, "alice")
    pair.b.write_now(lambda tx: carrying.arrive(tx, ["alice"]))
    assert accounts.exists(pair.b.reader, "alice")
    pair.a.write_now(lambda tx: carrying.leave(tx, ["alice"], "host-2"))
    assert not accounts.exists(pair.a.reader, "alice")


def test_an_account_that_goes_is_taken_out_whole(pair: Pair) -> None:
    pair.a.write_now(lambda tx: [change(tx, 0, at) for at in range(20)])
    pair.carry()
    while not pair.b.write_now(lambda tx: unpacking.forget(tx, "alice", 7)):
        pass
    tables = ("account", "folder", "entry", "expunged", "subscription", "body", "former_account")
    assert [pair.b.reader.one(f"SELECT count(*) FROM {table}") for table in tables] == [(0,)] * len(tables)


def test_a_removed_account_leaves_its_uidvalidity(pair: Pair) -> None:
    pair.carry()
    pair.a.write_now(lambda tx: accounts.remove(tx, "alice"))
    pair.carry()
    assert pair.same()
    assert pair.b.reader.one("SELECT uidvalidity FROM former_account WHERE name = 'alice'") is not None


def test_every_table_of_an_account_is_carried(pair: Pair) -> None:
    """A new one has to be named in carrying.py, or it stays behind."""
    sql = "SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = ?"
    assert {name for (name,) in pair.a.reader.all(sql, ("account",))} <= set(carrying.NOT_CARRIED)


def test_what_was_hashed_is_not_hashed_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a folder of 100 letters one is flagged: one piece is read."""
    monkeypatch.setattr(hashing, "PIECE_UIDS", 10)
    pair.a.write_now(lambda tx: [change(tx, 0, 1) for _ in range(100)])
    read: list[int] = []
    hashed, reader = Hashed(), pair.a.reader
    bodies_digests = Bodies.digests
    monkeypatch.setattr(Bodies, "digests", lambda place, ids: read.append(1) or bodies_digests(place, ids))
    carrying.digest(pair.layout, reader, "alice", hashed)
    (folder,) = reader.one("SELECT folder FROM entry LIMIT 1") or (0,)
    pair.a.write_now(lambda tx: entries.store_flags(tx, folder, [55], "+", 0, frozenset({"k"})))
    read.clear()
    carrying.digest(pair.layout, reader, "alice", hashed)
    assert len(read) == 1

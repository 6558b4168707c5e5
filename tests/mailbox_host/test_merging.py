"""What a lost host gives back of an account, into the copy that went on: once, however often it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from mail.envelope import Arrival
from mailbox_host import accounts, carrying, entries, extras, folders, gaps
from mailbox_host.merging import Merge
from mailbox_host.refiling import file_one
from mailbox_host.repeats import first_at
from mailbox_host.tables import MIGRATIONS
from store import Bodies, Store, Transaction
from store.bodies import MIGRATION as STORE_MIGRATION
from store.copying import copy_database

GAP = 65_536


class Two:
    """The lost host, and its heir."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.lost = Store(root / "lost.db", [STORE_MIGRATION, *MIGRATIONS])
        self.lost.write_now(lambda tx: accounts.add(tx, "alice", "hash", 5.0))

    def part(self) -> None:
        copy_database(self._root / "lost.db", self._root / "heir.db")
        self.heir = Store(self._root / "heir.db", [STORE_MIGRATION, *MIGRATIONS])
        self.heir.write_now(lambda tx: gaps.skip_after(tx, "host-1"))

    def give(self, words: int = 99) -> None:
        """Give parts, some of them or all."""
        reader = self.lost.reader
        gap = gaps.gap_of(self.heir.reader, "alice", "host-1")
        assert gap
        merge = Merge(carrying.layout(reader), "host-1")
        parts = list(extras.parts(carrying.layout(reader), reader, "alice", gap))
        for part in parts[:words]:
            known = Bodies.by_digest(reader, extras.bodies_of(part))
            contents = [Bodies.read(reader, body) for body in known.values()]

            def work(tx: Transaction, part=part, contents=contents) -> None:  # type: ignore[no-untyped-def]
                held = [Bodies.keep(tx, content) for content in contents]
                merge.put(tx, part, 99.0)
                for body in held:
                    Bodies.release(tx, body)

            self.heir.write_now(work)

    def close(self) -> None:
        self.lost.close()
        self.heir.close()


@pytest.fixture
def two(tmp_path: Path):  # type: ignore[no-untyped-def]
    found = Two(tmp_path)
    yield found
    found.close()


def file(store: Store, text: str, envid: str, now: float) -> None:
    """A letter comes, as the room takes it."""

    def work(tx: Transaction) -> None:
        body = Bodies.keep(tx, f"Subject: {text}\r\n\r\n".encode())
        owner = accounts.account_id(tx, "alice")
        inbox = folders.find_folder(tx, "alice", "INBOX")
        at = first_at(tx, owner, Arrival("zoe@elsewhere.example", b"", body, envid, "", now, now))
        if at is not None and inbox:
            file_one(tx, owner, inbox.id, body, 10, at, None)
        Bodies.release(tx, body)

    store.write_now(work)


def uids(store: Store, folder: str = "INBOX") -> list[tuple[int, str]]:
    found = folders.find_folder(store.reader, "alice", folder)
    assert found
    headers = "SELECT c.header FROM body_content c WHERE c.id = ?"
    rows = store.reader.all("SELECT uid, body FROM entry WHERE folder = ? ORDER BY uid", (found.id,))
    return [(uid, (store.reader.one(headers, (body,)) or (b"",))[0].decode()[9:].strip()) for uid, body in rows]


def test_what_is_given_twice_is_taken_once(two: Two) -> None:
    file(two.lost, "old", "1", 10.0)
    two.part()
    for number, text in enumerate(("late", "later")):
        file(two.lost, text, f"late {number}", 20.0)  # in one step, so at one moment
    file(two.heir, "new", "9", 30.0)
    for words in (0, 1, 2, 3, 99, 99):
        two.give(words)
    assert uids(two.heir) == [(1, "old"), (2 + GAP, "new"), (3 + GAP, "late"), (4 + GAP, "later")]


def test_a_letter_that_came_to_both_is_one(two: Two) -> None:
    """Its sender was not told by the lost host, and said it again to the heir."""
    two.part()
    for text in ("to both", "to one"):
        file(two.lost, text, text, 20.0)
    file(two.heir, "to both", "to both", 30.0)
    two.give()
    assert [text for _, text in uids(two.heir)] == ["to both", "to one"]
    file(two.heir, "to one", "to one", 40.0)
    assert [text for _, text in uids(two.heir)] == ["to both", "to one"]


def test_what_was_moved_is_in_one_folder_and_what_went_is_gone(two: Two) -> None:
    for text in ("moved", "gone", "touched", "copied"):
        file(two.lost, text, text, 10.0)
    two.part()

    def act(tx: Transaction) -> None:
        inbox, archive = (folders.find_folder(tx, "alice", name) for name in ("INBOX", "Archive"))
        assert inbox and archive
        entries.move(tx, inbox.id, [1], archive.id, 20.0)
        entries.expunge(tx, inbox.id, [2, 3])
        entries.copy(tx, inbox.id, [4], archive.id, 20.0)

    two.lost.write_now(act)

    def touch(tx: Transaction) -> None:
        inbox = folders.find_folder(tx, "alice", "INBOX")
        assert inbox
        entries.store_flags(tx, inbox.id, [3], "+", 1, frozenset())

    two.heir.write_now(touch)
    for words in (2, 3, 99):
        two.give(words)
    assert [text for _, text in uids(two.heir)] == ["touched", "copied"]  # read there: it stays
    assert [text for _, text in uids(two.heir, "Archive")] == ["moved", "copied"]


def test_a_password_that_was_changed_there_counts_unless_it_was_changed_here_too(two: Two) -> None:
    two.part()
    two.lost.write_now(lambda tx: accounts.set_password(tx, "alice", "new"))
    two.give()
    assert accounts.stored_hash(two.heir.reader, "alice") == "new"
    two.heir.write_now(lambda tx: accounts.set_password(tx, "alice", "newest"))
    two.give()
    assert accounts.stored_hash(two.heir.reader, "alice") == "newest"

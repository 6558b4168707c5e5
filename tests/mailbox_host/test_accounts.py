"""Accounts come whole and go whole."""

from __future__ import annotations

import pytest

from mail.control import Welcome
from mailbox_host import accounts, entries, folders, timeline
from tests.mailbox_host.house import NOW, House


@pytest.fixture
def house() -> House:
    return House()


def test_an_account_starts_with_its_folders_subscribed(house: House) -> None:
    accounts.add(house.tx, "alice", "hash", NOW)
    found = folders.list_folders(house.tx, "alice")
    assert {folder.name: folder.special_use for folder in found} == {
        "INBOX": "", "Sent": "\\Sent", "Drafts": "\\Drafts", "Archive": "\\Archive", "Junk": "\\Junk",
        "Trash": "\\Trash",
    }  # fmt: skip
    assert all(folder.subscribed and folder.uidnext == 1 for folder in found)
    assert len({folder.uidvalidity for folder in found}) == 6
    assert accounts.stored_hash(house.tx, "alice") == "hash"


def test_adding_twice_is_refused_and_passwords_change(house: House) -> None:
    accounts.add(house.tx, "alice", "one", NOW)
    with pytest.raises(accounts.AccountExists):
        accounts.add(house.tx, "alice", "two", NOW)
    accounts.set_password(house.tx, "alice", "three")
    assert accounts.stored_hash(house.tx, "alice") == "three"
    assert accounts.stored_hash(house.tx, "nobody") is None
    with pytest.raises(accounts.NoSuchAccount):
        accounts.set_password(house.tx, "nobody", None)


def test_many_at_once_pass_over_those_that_exist(house: House) -> None:
    accounts.add(house.tx, "b", "old", NOW)
    assert accounts.add_many(house.tx, [("a", None), ("b", "new"), ("c", None), ("a", "again")], NOW) == 2
    assert accounts.names(house.tx) == ["a", "b", "c"]
    assert accounts.names(house.tx, after="a", limit=1) == ["b"]
    assert accounts.stored_hash(house.tx, "b") == "old"
    assert all(len(folders.list_folders(house.tx, name)) == 6 for name in "abc")


def test_removal_leaves_nothing_and_gives_every_body_back(house: House) -> None:
    house.move_in("alice", "carol")
    for name in ("alice", "carol"):
        timeline.welcome(house.tx, name, Welcome("bob", 1, 1, "News"), NOW)
        house.append(name, "the same", "the same", "other")
    house.log("bob", 1)
    house.look("alice")
    entries.expunge(house.tx, house.folder("alice"), [3])
    accounts.remove(house.tx, "alice")
    house.check()
    assert not accounts.exists(house.tx, "alice")
    for table in ("account", "folder", "subscription", "entry", "expunged", "had_post", "follow", "seen"):
        column = "folder" if table in ("entry", "expunged") else "id" if table == "account" else "account"
        known = "SELECT id FROM folder" if column == "folder" else "SELECT id FROM account"
        assert not house.tx.all(f"SELECT 1 FROM {table} WHERE {column} NOT IN ({known})"), table
    house.look("carol")
    assert house.subjects("carol") == ["the same", "the same", "other"]
    assert house.subjects("carol", "News") == ["bob 1"]


def test_a_name_that_comes_back_does_not_repeat_a_uidvalidity(house: House) -> None:
    house.move_in("alice")
    folders.create_folder(house.tx, "alice", "News", NOW)
    before = {folder.uidvalidity for folder in folders.list_folders(house.tx, "alice")}
    accounts.remove(house.tx, "alice")
    house.move_in("alice")  # in the same second
    folders.create_folder(house.tx, "alice", "News", NOW)
    after = {folder.uidvalidity for folder in folders.list_folders(house.tx, "alice")}
    assert min(after) > max(before)


def test_a_new_account_does_not_take_the_rows_of_an_old_one(house: House) -> None:
    house.move_in("alice")
    old = house.folder("alice")
    accounts.remove(house.tx, "alice")
    house.move_in("carol")
    assert old not in {folder.id for folder in folders.list_folders(house.tx, "carol")}

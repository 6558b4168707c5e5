"""Folders made, renamed, deleted, subscribed."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.control import Welcome
from mailbox_host import entries, folders, timeline
from mailbox_host.folder_names import FOLDERS_MAX, checked
from tests.mailbox_host.house import NOW, House


@pytest.fixture
def house() -> House:
    house = House()
    house.move_in("alice", "carol")
    return house


def names(house: House) -> list[str]:
    return [folder.name for folder in folders.list_folders(house.tx, "alice") if not folder.special_use]


def test_inbox_is_inbox_however_it_is_written(house: House) -> None:
    assert folders.find_folder(house.tx, "alice", "inBox") == folders.find_folder(house.tx, "alice", "INBOX")
    assert folders.create_folder(house.tx, "alice", "inbox/lists", NOW).name == "INBOX/lists"
    with pytest.raises(folders.FolderExists):
        folders.create_folder(house.tx, "alice", "Inbox", NOW)
    assert folders.find_folder(house.tx, "alice", "News") is None


def test_creating_makes_those_above(house: House) -> None:
    made = folders.create_folder(house.tx, "alice", "a/b/c", NOW, "\\Archive")
    assert made.special_use == "\\Archive" and made.account == "alice"
    assert names(house) == ["INBOX", "a", "a/b"]


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "a*", "50%", "a\r\nb", "\x00", "\x9b", "a" * 513, "/".join("a" * 17)]
)
def test_bad_names_are_refused(house: House, name: str) -> None:
    with pytest.raises(folders.BadFolderName):
        folders.create_folder(house.tx, "alice", name, NOW)


@settings(deadline=None)
@given(st.text())
def test_a_name_is_taken_as_it_is_or_refused(name: str) -> None:
    try:
        kept = checked(name)
    except folders.BadFolderName:
        return
    assert kept.lower() == normalize("NFC", name).lower() and checked(kept) == kept


def test_a_recreated_folder_has_a_higher_uidvalidity(house: House) -> None:
    seen = []
    for _ in range(3):  # within one second, and with a clock that went back
        seen.append(folders.create_folder(house.tx, "alice", "News", NOW - len(seen) * 1000).uidvalidity)
        folders.delete_folder(house.tx, "alice", "News")
    assert seen == sorted(set(seen))
    assert folders.create_folder(house.tx, "alice", "News", 9e18).uidvalidity == 2**32 - 1


def test_no_two_folders_share_a_uidvalidity_so_that_renames_are_safe(house: House) -> None:
    before = house.folder("alice", "Sent")
    validity = {f.name: f.uidvalidity for f in folders.list_folders(house.tx, "alice")}
    folders.delete_folder(house.tx, "alice", "Sent")
    folders.rename_folder(house.tx, "alice", "Drafts", "Sent", NOW)
    after = folders.find_folder(house.tx, "alice", "Sent")
    assert after and after.id != before and after.uidvalidity not in (validity["Sent"],)


def test_renaming_takes_along_what_lies_below(house: House) -> None:
    folders.create_folder(house.tx, "alice", "a/b/c", NOW)
    folders.create_folder(house.tx, "alice", "ab", NOW)
    house.append("alice", "deep", folder="a/b/c")
    folders.set_subscribed(house.tx, "alice", "a/b/c", True)
    folders.rename_folder(house.tx, "alice", "a", "x/y", NOW)
    assert names(house) == ["INBOX", "ab", "x", "x/y", "x/y/b", "x/y/b/c"]
    assert house.subjects("alice", "x/y/b/c") == ["deep"]
    assert "x/y/b/c" in folders.subscriptions(house.tx, "alice")
    assert "a/b/c" not in folders.subscriptions(house.tx, "alice")


def test_renaming_that_cannot_be(house: House) -> None:
    folders.create_folder(house.tx, "alice", "a/b", NOW)
    for old, new, error in (
        ("a", "a/b/c", folders.BadFolderName),
        ("a", "INBOX", folders.FolderExists),
        ("b", "c", folders.NoSuchFolder),
        ("a", "c//d", folders.BadFolderName),
    ):
        with pytest.raises(error):
            folders.rename_folder(house.tx, "alice", old, new, NOW)
    assert names(house) == ["INBOX", "a", "a/b"]


def test_renaming_inbox_moves_what_it_holds_and_leaves_it_there(house: House) -> None:
    timeline.welcome(house.tx, "alice", Welcome("bob", 1, 1), NOW)
    house.append("alice", "one", "two")
    entries.store_flags(house.tx, house.folder("alice"), [2], "+", entries.SEEN, frozenset({"$Later"}))
    folders.create_folder(house.tx, "alice", "INBOX/lists", NOW)
    folders.rename_folder(house.tx, "alice", "INBOX", "old/mail", NOW)
    assert house.subjects("alice", "old/mail") == ["one", "two"] and house.subjects("alice") == []
    assert [(e.flags, e.keywords) for e in entries.entries(house.tx, house.folder("alice", "old/mail"))][1] == (
        1,
        "$Later",
    )
    assert entries.expunged_since(house.tx, house.folder("alice"), 0) == [1, 2]
    assert names(house) == ["INBOX", "INBOX/lists", "old", "old/mail"]  # RFC 3501 6.3.5: inferiors stay
    house.log("bob", 1)
    house.look("alice")
    assert house.subjects("alice") == ["bob 1"]
    assert house.append("alice", "three") == [4]
    house.check()


def test_deleting_gives_bodies_back_and_sends_follows_to_inbox(house: House) -> None:
    timeline.welcome(house.tx, "alice", Welcome("bob", 1, 1, "News"), NOW)
    folders.create_folder(house.tx, "alice", "News/below", NOW)
    house.log("bob", 1)
    house.look("alice")
    house.append("alice", "mine", folder="News")
    folders.delete_folder(house.tx, "alice", "News")
    house.check()
    assert names(house) == ["INBOX", "News/below"]  # RFC 3501 6.3.4: those below stay
    house.log("bob", 2)
    house.look("alice")
    assert house.subjects("alice") == ["bob 2"]  # and what was had does not come back
    with pytest.raises(folders.FolderError):
        folders.delete_folder(house.tx, "alice", "inbox")
    with pytest.raises(folders.NoSuchFolder):
        folders.delete_folder(house.tx, "alice", "News")


def test_a_renamed_folder_keeps_its_follows(house: House) -> None:
    timeline.welcome(house.tx, "alice", Welcome("bob", 1, 1, "News"), NOW)
    folders.rename_folder(house.tx, "alice", "News", "Old news", NOW)
    house.log("bob", 1)
    house.look("alice")
    assert house.subjects("alice", "Old news") == ["bob 1"]
    assert [follow.folder for follow in timeline.follows(house.tx, "alice")] == ["Old news"]


def test_a_subscription_outlives_its_folder_until_it_is_taken_back(house: House) -> None:
    folders.create_folder(house.tx, "alice", "News", NOW)
    folders.set_subscribed(house.tx, "alice", "News", True)
    folders.delete_folder(house.tx, "alice", "News")
    assert "News" in folders.subscriptions(house.tx, "alice")  # RFC 3501 6.3.6
    folders.set_subscribed(house.tx, "alice", "News", False)
    assert "News" not in folders.subscriptions(house.tx, "alice")
    with pytest.raises(folders.NoSuchFolder):
        folders.set_subscribed(house.tx, "alice", "News", True)
    assert "News" not in folders.subscriptions(house.tx, "carol")


def test_there_is_an_end_to_folders(house: House) -> None:
    for n in range(FOLDERS_MAX - 6):
        folders.create_folder(house.tx, "alice", f"f{n}", NOW)
    with pytest.raises(folders.TooManyFolders):
        folders.create_folder(house.tx, "alice", "one more", NOW)
    with pytest.raises(folders.TooManyFolders):  # a rename can make folders too
        folders.rename_folder(house.tx, "alice", "f1", "x/y", NOW)
    timeline.welcome(house.tx, "alice", Welcome("bob", 1, 1, "News"), NOW)
    assert [follow.folder for follow in timeline.follows(house.tx, "alice")] == ["INBOX"]


def test_counts(house: House) -> None:
    house.append("alice", "a", "b", "c", "d")
    inbox = house.folder("alice")
    entries.store_flags(house.tx, inbox, [1, 3], "+", entries.SEEN, frozenset())
    entries.store_flags(house.tx, inbox, [3, 4], "+", entries.DELETED, frozenset())
    size = sum(entry.size for entry in entries.entries(house.tx, inbox))
    assert folders.counts(house.tx, inbox) == (4, 2, 2, size, 2)
    entries.expunge(house.tx, inbox, [2, 4])
    assert folders.counts(house.tx, inbox)[1:3] == (0, 1) and folders.counts(house.tx, inbox).first_unseen_uid == 0

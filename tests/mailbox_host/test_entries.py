"""Entries: flags, copies, moves, expunges, and what another session is told of them."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from mailbox_host import entries, folders
from mailbox_host.entries import ANSWERED, DELETED, FLAGGED, SEEN
from tests.mailbox_host.house import NOW, House, letter


@pytest.fixture
def house() -> House:
    house = House()
    house.move_in("alice")
    return house


def state(house: House, folder: str = "INBOX") -> dict[int, tuple[int, str]]:
    return {e.uid: (e.flags, e.keywords) for e in entries.entries(house.tx, house.folder("alice", folder))}


def highest(house: House, folder: str = "INBOX") -> int:
    found = folders.find_folder(house.tx, "alice", folder)
    assert found is not None
    return found.modseq


def test_flags_and_keywords_are_added_taken_and_set(house: House) -> None:
    house.append("alice", "a", "b")
    inbox = house.folder("alice")
    entries.store_flags(house.tx, inbox, [1, 2], "+", SEEN | FLAGGED, frozenset({"$Later", "Work"}))
    entries.store_flags(house.tx, inbox, [1], "-", SEEN, frozenset({"work", "absent"}))
    entries.store_flags(house.tx, inbox, [2], "+", 0, frozenset({"WORK", "$Junk"}))
    assert state(house) == {1: (FLAGGED, "$Later"), 2: (SEEN | FLAGGED, "$Junk $Later Work")}
    entries.store_flags(house.tx, inbox, [2], "=", ANSWERED, frozenset({"x", "X"}))
    assert state(house)[2] in ((ANSWERED, "x"), (ANSWERED, "X"))  # RFC 3501 2.3.2: case does not tell keywords apart
    assert entries.keywords_in_use(house.tx, inbox) == {"$Later", state(house)[2][1]}


def test_one_call_is_one_modseq_and_only_what_changed_has_it(house: House) -> None:
    house.append("alice", "a", "b", "c")
    inbox = house.folder("alice")
    before = highest(house)
    entries.store_flags(house.tx, inbox, [2], "+", SEEN, frozenset())
    assert highest(house) == before + 1
    told = entries.store_flags(house.tx, inbox, [1, 2, 3, 99], "+", SEEN, frozenset())
    assert [(e.uid, e.flags, e.modseq) for e in told] == [(1, 1, before + 2), (2, 1, before + 1), (3, 1, before + 2)]
    assert entries.entries_since(house.tx, inbox, before + 1) == [told[0], told[2]]
    entries.store_flags(house.tx, inbox, [1, 2], "+", SEEN, frozenset())
    assert highest(house) == before + 2  # nothing changed: RFC 7162 3.1.3
    assert told == entries.entries(house.tx, inbox)


def test_too_many_keywords_are_refused(house: House) -> None:
    house.append("alice", "a")
    inbox = house.folder("alice")
    with pytest.raises(entries.TooManyKeywords):
        entries.store_flags(house.tx, inbox, [1], "+", 0, frozenset(f"k{n}" for n in range(65)))
    with pytest.raises(entries.TooManyKeywords):
        entries.append(house.tx, "alice", inbox, letter("x"), 0, frozenset({"k" * 256}), NOW)


def test_append_keeps_flags_and_date(house: House) -> None:
    inbox = house.folder("alice")
    made = entries.append(house.tx, "alice", inbox, letter("x"), SEEN, frozenset({"b", "a"}), 17.0)
    assert made == entries.entries(house.tx, inbox)[0]
    assert (made.uid, made.flags, made.keywords, made.arrival, made.size) == (1, SEEN, "a b", 17.0, len(letter("x")))
    with pytest.raises(folders.NoSuchFolder):
        entries.append(house.tx, "alice", 999, letter("x"), 0, frozenset(), NOW)


def test_copying_shares_the_body_and_takes_flags_and_date_along(house: House) -> None:
    house.append("alice", "a", "b", "c")
    inbox, trash = house.folder("alice"), house.folder("alice", "Trash")
    entries.store_flags(house.tx, inbox, [3], "+", FLAGGED, frozenset({"k"}))
    assert entries.copy(house.tx, inbox, [3, 1, 42], trash, NOW) == [(1, 1), (3, 2)]
    assert entries.copy(house.tx, inbox, [3], inbox, NOW) == [(3, 4)]
    assert house.subjects("alice", "Trash") == ["a", "c"] and state(house, "Trash")[2] == (FLAGGED, "k")
    house.check()


def test_moving_leaves_a_trace_and_no_message(house: House) -> None:
    house.append("alice", "a", "b", "c")
    inbox, trash = house.folder("alice"), house.folder("alice", "Trash")
    since = highest(house)
    assert entries.move(house.tx, inbox, [2, 3], trash, NOW) == [(2, 1), (3, 2)]
    assert house.subjects("alice") == ["a"] and house.subjects("alice", "Trash") == ["b", "c"]
    assert entries.expunged_since(house.tx, inbox, since) == [2, 3]
    assert entries.move(house.tx, inbox, [1], inbox, NOW) == [(1, 4)]
    assert entries.copy(house.tx, inbox, [1], trash, NOW) == entries.move(house.tx, inbox, [1], trash, NOW) == []
    house.check()


def test_expunged_uids_are_told_to_those_who_ask_since(house: House) -> None:
    house.append("alice", "a", "b", "c")
    inbox = house.folder("alice")
    first = highest(house)
    assert entries.expunge(house.tx, inbox, [3, 1, 7]) == [1, 3]
    second = highest(house)
    assert second == first + 1 and entries.expunge(house.tx, inbox, [1]) == []
    assert highest(house) == second
    entries.expunge(house.tx, inbox, [2])
    assert entries.expunged_since(house.tx, inbox, first) == [1, 2, 3]
    assert entries.expunged_since(house.tx, inbox, second) == [2]
    assert house.append("alice", "d") == [4]
    house.check()


def test_reading_in_other_ways(house: House) -> None:
    house.append("alice", "a", "b", "c")
    inbox = house.folder("alice")
    entries.store_flags(house.tx, inbox, [2], "+", DELETED, frozenset())
    assert entries.uids(house.tx, inbox) == [1, 2, 3]
    assert entries.deleted_uids(house.tx, inbox) == [2]
    assert entries.count_after(house.tx, inbox, 1) == 2
    assert [e.uid for e in entries.by_uids(house.tx, inbox, [3, 9, 1])] == [1, 3]


class Session(RuleBasedStateMachine):
    """A session that is told of changes by modseq always has what the folder has."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        self.house.move_in("alice")
        self.inbox, self.trash = self.house.folder("alice"), self.house.folder("alice", "Trash")
        self.shown: dict[int, entries.Entry] = {}
        self.told = self.used = 0

    @rule(count=st.integers(1, 3))
    def append(self, count: int) -> None:
        uids = self.house.append("alice", *"abc"[:count])
        assert min(uids) > self.used
        self.used = max(uids)

    @rule(
        uids=st.sets(st.integers(1, 12)),
        op=st.sampled_from("+-="),
        bits=st.integers(0, 31),
        words=st.sets(st.sampled_from("aAb")),
    )
    def store(self, uids: set[int], op: str, bits: int, words: set[str]) -> None:
        entries.store_flags(self.house.tx, self.inbox, uids, op, bits, frozenset(words))  # type: ignore[arg-type]

    @rule(uids=st.sets(st.integers(1, 12)))
    def expunge(self, uids: set[int]) -> None:
        entries.expunge(self.house.tx, self.inbox, uids)

    @rule(uids=st.sets(st.integers(1, 12)), act=st.sampled_from((entries.move, entries.copy)), home=st.booleans())
    def file(self, uids: set[int], act: object, home: bool) -> None:
        made = act(self.house.tx, self.inbox, uids, self.inbox if home else self.trash, NOW)  # type: ignore[operator]
        self.used = max([self.used, *(new for _, new in made if home)])

    @rule()
    def refresh(self) -> None:
        folder = folders.find_folder(self.house.tx, "alice", "INBOX")
        assert folder is not None
        for uid in entries.expunged_since(self.house.tx, self.inbox, self.told):
            self.shown.pop(uid, None)
        self.shown |= {e.uid: e for e in entries.entries_since(self.house.tx, self.inbox, self.told)}
        self.told = folder.modseq
        assert sorted(self.shown.values()) == entries.entries(self.house.tx, self.inbox)

    @invariant()
    def sound(self) -> None:
        self.house.check()


def test_a_session_told_by_modseq_misses_nothing() -> None:
    run_state_machine_as_test(Session, settings=settings(max_examples=60, stateful_step_count=30, deadline=None))

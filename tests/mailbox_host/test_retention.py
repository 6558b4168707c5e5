"""Retention: what is too old goes, nothing flagged goes, and what went never comes back."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from mail.control import Goodbye, Welcome
from mailbox_host import accounts, columns, entries, folders, retention, timeline
from mailbox_host.entries import FLAGGED
from mailbox_host.post_log import cut_log
from mailbox_host.settings import Settings
from tests.mailbox_host.house import NOW, House, letter

DAY = retention.DAY_SECONDS
TRASH_30 = Settings(days=MappingProxyType({"\\Trash": 30}))


@pytest.fixture
def house() -> House:
    house = House()
    house.move_in("alice")
    return house


def tidy(house: House, name: str, settings: Settings, now: float) -> None:
    """What a round of the upkeep does, all at once."""
    while cut_log(house.tx, now - settings.log_days * DAY, retention.SLICE_MAX):
        pass
    account = accounts.account_id(house.tx, name)
    while retention.let_go(house.tx, account, settings, now):
        house.check()
    assert not retention.due(house.tx, account, settings, now)


def test_what_counts_is_when_it_came_into_the_folder(house: House) -> None:
    house.append("alice", "old", "new")
    inbox, trash = house.folder("alice"), house.folder("alice", "Trash")
    entries.append(house.tx, "alice", trash, letter("restored"), 0, frozenset(), NOW - 900 * DAY, saved=NOW)
    later = NOW + 100 * DAY
    entries.move(house.tx, inbox, [1], trash, later)  # an old letter that is thrown away today
    tidy(house, "alice", TRASH_30, later + 29 * DAY)
    assert house.subjects("alice", "Trash") == ["old"] and house.subjects("alice") == ["new"]
    tidy(house, "alice", TRASH_30, later + 31 * DAY)
    assert house.subjects("alice", "Trash") == [] and house.subjects("alice") == ["new"]


def test_nothing_flagged_goes(house: House) -> None:
    house.append("alice", "a", "b", "c", "d", folder="Trash")
    trash = house.folder("alice", "Trash")
    entries.store_flags(house.tx, trash, [2], "+", FLAGGED, frozenset())
    tidy(house, "alice", TRASH_30, NOW + 31 * DAY)
    assert house.subjects("alice", "Trash") == ["b"]
    assert retention.set_retention(house.tx, "alice", "Trash", 0, 2)
    house.append("alice", "e", "f", "g", folder="Trash")
    tidy(house, "alice", TRASH_30, NOW + 400 * DAY)
    assert house.subjects("alice", "Trash") == ["b", "f", "g"]


def test_a_folder_of_its_own_mind_comes_before_the_configuration(house: House) -> None:
    house.append("alice", "a", folder="Trash")
    assert retention.set_retention(house.tx, "alice", "Trash", 0, None)
    tidy(house, "alice", TRASH_30, NOW + 300 * DAY)
    assert house.subjects("alice", "Trash") == ["a"]
    assert retention.set_retention(house.tx, "alice", "Trash", None, None)
    tidy(house, "alice", TRASH_30, NOW + 300 * DAY)
    assert house.subjects("alice", "Trash") == []
    assert not retention.set_retention(house.tx, "alice", "Nowhere", 1, None)


def test_who_was_away_while_expunges_were_forgotten_hears_of_all(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "EXPUNGED_KEPT_MAX", 3)
    inbox = house.folder("alice")
    house.append("alice", *"abcdefgh")
    known = columns.read_columns(house.tx, inbox, modseq(house), None)
    entries.expunge(house.tx, inbox, [1, 2])
    middle = modseq(house)
    for uid in (3, 5, 7):
        entries.expunge(house.tx, inbox, [uid])
    tidy(house, "alice", Settings(), NOW)
    assert house.tx.all("SELECT uid FROM expunged ORDER BY uid") == [(3,), (5,), (7,)]
    assert entries.expunged_since(house.tx, inbox, known.modseq) == [1, 2, 3, 5, 7]
    assert entries.expunged_since(house.tx, inbox, middle) == [3, 5, 7]
    assert entries.expunged_since(house.tx, inbox, middle + 1) == [5, 7]
    assert list(columns.read_columns(house.tx, inbox, modseq(house), known).uids) == [4, 6, 8]


def modseq(house: House) -> int:
    found = folders.find_folder(house.tx, "alice", "INBOX")
    assert found is not None
    return found.modseq


def test_who_looks_after_two_years_finds_the_log_as_it_is(house: House) -> None:
    house.move_in("carol")
    for name in ("alice", "carol"):
        timeline.welcome(house.tx, name, Welcome("bob", 1, 1), NOW)
    for number in range(1, 11):
        house.log("bob", number, NOW + number * 100 * DAY)
    house.look("alice")
    now = NOW + 1000 * DAY
    for name in ("alice", "carol"):
        tidy(house, name, Settings(), now)
    house.look("carol")
    for name in ("alice", "carol"):
        assert house.subjects(name) == [f"bob {number}" for number in range(6, 11)]
    assert not any(house.log("bob", number) for number in range(1, 6))  # late redeliveries
    assert not any(house.hand("alice", "bob", number) for number in range(1, 11))
    assert house.tx.all("SELECT source, post FROM had_post") == [("bob", 5)]  # one row stands for all
    timeline.welcome(house.tx, "alice", Welcome("bob", 1, 3, "News"), now)
    house.look("alice")
    assert house.subjects("alice", "News") == []


def test_a_new_follower_of_a_slow_source_gets_what_the_log_has_not_any_more(house: House) -> None:
    house.move_in("carol")
    timeline.welcome(house.tx, "alice", Welcome("feed", 1, 1), NOW)
    house.log("feed", 1), house.log("feed", 2)
    house.look("alice")
    late = NOW + 500 * DAY
    tidy(house, "alice", Settings(), late)
    assert house.hand("carol", "feed", 1, late)
    timeline.welcome(house.tx, "carol", Welcome("feed", 1, 2), late)
    assert house.hand("carol", "feed", 2, late)  # before and after her welcome
    assert not house.hand("carol", "feed", 1, late) and not house.hand("alice", "feed", 2, late)
    assert house.subjects("carol") == ["feed 1", "feed 2"] and house.subjects("alice") == []


def test_a_post_that_came_before_an_older_one_has_left_the_log_too(house: House) -> None:
    house.log("bob", 5)
    house.log("bob", 4)
    tidy(house, "alice", Settings(), NOW + 401 * DAY)
    assert not house.log("bob", 5) and not house.log("bob", 4) and house.log("bob", 6)


def test_what_is_still_in_the_log_is_remembered_for_itself(house: House) -> None:
    """Post 2 came late: it is in the log when 1 and 3 have left it."""
    house.move_in("carol")
    timeline.welcome(house.tx, "alice", Welcome("bob", 1, 1), NOW)
    timeline.welcome(house.tx, "carol", Welcome("bob", 2, 1), NOW)
    timeline.goodbye(house.tx, "carol", Goodbye("bob", 3, 2))
    for number, day in ((1, 0), (3, 0), (2, 39)):
        house.log("bob", number, NOW + day * DAY)
    for name in ("alice", "carol"):
        house.look(name)
        inbox = house.folder(name)
        entries.expunge(house.tx, inbox, entries.uids(house.tx, inbox))
        tidy(house, name, SHORT, NOW + 41 * DAY)
        timeline.welcome(house.tx, name, Welcome("bob", 1, 9), NOW)
        house.look(name)
        assert house.subjects(name) == [], "it came back"
    assert not house.hand("alice", "bob", 1) and house.hand("carol", "bob", 1)  # she never had it


PEOPLE = ("alice", "carol")
SHORT = Settings(log_days=40)
people = st.sampled_from(PEOPLE)
sources = st.sampled_from(("bob", "dora"))


class Years(RuleBasedStateMachine):
    """Time goes by, posts come late and again, people look or do not: nobody ever has a post twice, and who looks in
    time has them all."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        self.house.move_in(*PEOPLE)
        self.now = NOW
        self.inbox = {name: self.house.folder(name) for name in PEOPLE}
        self.arrived: dict[tuple[str, int], float] = {}
        self.shown: dict[str, list[tuple[str, int]]] = {name: [] for name in PEOPLE}
        self.seen_upto = dict.fromkeys(PEOPLE, 0)  # the highest UID that `note` has looked at
        self.generation = 0

    @rule(days=st.integers(1, 25))
    def time_passes(self, days: int) -> None:
        self.now += days * DAY

    @rule(source=sources, skip=st.integers(0, 2), back=st.integers(0, 2))
    def post(self, source: str, skip: int, back: int) -> None:
        """New, or late by a few, or the very same again."""
        known = [number for name, number in self.arrived if name == source]
        number = max(1, max(known, default=0) + 1 + skip - back)
        if self.house.log(source, number, self.now):
            assert (source, number) not in self.arrived
            self.arrived[source, number] = self.now

    @rule(pick=st.randoms(use_true_random=False))
    def redeliver(self, pick: object) -> None:
        for source, number in sorted(self.arrived):
            if pick.random() < 0.3:  # type: ignore[attr-defined]
                assert not self.house.log(source, number, self.now)

    @rule(name=people, source=sources, number=st.integers(1, 6))
    def follow(self, name: str, source: str, number: int) -> None:
        self.generation += 1
        timeline.welcome(self.house.tx, name, Welcome(source, number, self.generation), self.now)
        self.note(name)

    @rule(name=people, source=sources, number=st.integers(1, 8))
    def leave(self, name: str, source: str, number: int) -> None:
        self.generation += 1
        timeline.goodbye(self.house.tx, name, Goodbye(source, number, self.generation))

    @rule(name=people)
    def look(self, name: str) -> None:
        self.house.look(name)
        self.note(name)
        for source, number in self.house.tx.all("SELECT source, post FROM post_log"):
            mine = [f for f in timeline.follows(self.house.tx, name) if f.source == source]
            covered = any(f.from_post <= number < f.until_post for f in mine)
            assert not covered or (source, number) in self.shown[name]

    @rule(name=people, pick=st.randoms(use_true_random=False))
    def handle(self, name: str, pick: object) -> None:
        """Flag some, unflag some, expunge some."""
        uids = entries.uids(self.house.tx, self.inbox[name])
        chosen = [uid for uid in uids if pick.random() < 0.4]  # type: ignore[attr-defined]
        operation = pick.choice("+-x")  # type: ignore[attr-defined]
        if operation == "x":
            entries.expunge(self.house.tx, self.inbox[name], chosen)
        else:
            entries.store_flags(self.house.tx, self.inbox[name], chosen, operation, FLAGGED, frozenset())

    @rule(name=people, source=sources, number=st.integers(1, 8))
    def hand(self, name: str, source: str, number: int) -> None:
        """A post that is sent to one account: a backlog, or once more."""
        if (source, number) in self.arrived:
            self.house.hand(name, source, number, self.now)
            self.note(name)

    @rule()
    def upkeep(self) -> None:
        flagged = {name: self.flagged(name) for name in PEOPLE}
        for name in PEOPLE:
            tidy(self.house, name, SHORT, self.now)
            assert self.flagged(name) == flagged[name]
        before = self.now - SHORT.log_days * DAY
        assert not self.house.tx.all("SELECT 1 FROM post_log WHERE arrival < ?", (before,))
        old = "SELECT 1 FROM entry WHERE arrival < ? AND NOT flags & ? AND source IS NOT NULL"
        assert not self.house.tx.all(old, (before, FLAGGED))
        assert len(self.house.tx.all("SELECT 1 FROM had_post")) <= len(PEOPLE) * (2 + len(self.log()))

    @invariant()
    def sound(self) -> None:
        self.house.check()

    def note(self, name: str) -> None:
        """What is new to this account was never there before."""
        sql = "SELECT uid, source, post FROM entry WHERE folder = ? AND uid > ? ORDER BY uid"
        for uid, source, number in self.house.tx.all(sql, (self.inbox[name], self.seen_upto[name])):
            assert (source, number) not in self.shown[name], "it came back"
            self.shown[name].append((source, number))
            self.seen_upto[name] = uid

    def flagged(self, name: str) -> list[int]:
        return [e.uid for e in entries.entries(self.house.tx, self.inbox[name]) if e.flags & FLAGGED]

    def log(self) -> list[object]:
        return list(self.house.tx.all("SELECT 1 FROM post_log"))


def test_years_go_by() -> None:
    run_state_machine_as_test(Years, settings=examples(max_examples=120, stateful_step_count=40, deadline=None))

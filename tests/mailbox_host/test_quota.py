"""Whatever is done to a timeline, what it is said to keep is what it keeps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from mail.control import Welcome
from mailbox_host import accounts, entries, folders, quota, refiling, retention, timeline
from mailbox_host.post_log import cut_log
from mailbox_host.quota import OverQuota, Quota
from mailbox_host.settings import Settings
from mailbox_host.tables import MIGRATIONS
from store import Bodies
from tests.mailbox_host.house import NOW, House, letter

PEOPLE = ("alice", "carol")
people = st.sampled_from(PEOPLE)
places = st.sampled_from(("INBOX", "News", "Trash", "News/deep"))
dice = st.randoms(use_true_random=False)


class Keeping(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        self.house.move_in(*PEOPLE)
        self.now = NOW

    def folder(self, name: str, place: str) -> int:
        if folders.find_folder(self.house.tx, name, place) is None:
            folders.create_folder(self.house.tx, name, place, self.now)
        return self.house.folder(name, place)

    @rule(name=people, place=places, text=st.text("xyz", max_size=40))
    def append(self, name: str, place: str, text: str) -> None:
        entries.append(self.house.tx, name, self.folder(name, place), letter("a", text), 0, frozenset(), self.now)

    @rule(name=people, text=st.text("xyz", max_size=40))
    def deliver(self, name: str, text: str) -> None:
        tx, content = self.house.tx, letter("letter", text)
        body, owner = Bodies.keep(tx, content), accounts.account_id(tx, name)
        refiling.file_one(tx, owner, self.folder(name, "INBOX"), body, len(content), self.now, None)
        Bodies.release(tx, body)

    @rule(name=people, place=places, generation=st.integers(1, 9))
    def follow(self, name: str, place: str, generation: int) -> None:
        timeline.welcome(self.house.tx, name, Welcome("bob", 1, generation, place), self.now)

    @rule(number=st.integers(1, 9), one=st.booleans())
    def post(self, number: int, one: bool) -> None:
        if one:
            self.house.hand("alice", "bob", number, self.now)
        else:
            self.house.log("bob", number, self.now)

    @rule(name=people)
    def look(self, name: str) -> None:
        self.house.look(name)

    @rule(name=people, here=places, there=places, pick=dice, what=st.sampled_from(("copy", "move", "expunge")))
    def refile(self, name: str, here: str, there: str, pick: Any, what: str) -> None:
        """Letters and posts alike."""
        start, end = self.folder(name, here), self.folder(name, there)
        uids = [uid for uid in entries.uids(self.house.tx, start) if pick.random() < 0.6]
        if what == "expunge":
            entries.expunge(self.house.tx, start, uids)
        else:
            getattr(entries, what)(self.house.tx, start, uids, end, self.now)

    @rule(name=people, place=places, new=st.sampled_from(("Old", "News/deep/er")))
    def rename(self, name: str, place: str, new: str) -> None:
        """INBOX too, which stays and loses what it holds."""
        self.folder(name, place)
        try:
            folders.rename_folder(self.house.tx, name, place, new, self.now)
        except folders.FolderError:
            return

    @rule(name=people, place=places)
    def delete(self, name: str, place: str) -> None:
        if place != "INBOX" and folders.find_folder(self.house.tx, name, place):
            folders.delete_folder(self.house.tx, name, place)

    @rule(days=st.integers(10, 60))
    def time_passes(self, days: int) -> None:
        self.now += days * retention.DAY_SECONDS
        cut_log(self.house.tx, self.now - 40 * retention.DAY_SECONDS, 100)
        for name in PEOPLE:
            settings_ = Settings(log_days=40, days={"\\Trash": 30})
            while retention.let_go(self.house.tx, accounts.account_id(self.house.tx, name), settings_, self.now):
                pass

    @rule(name=people)
    def leave_and_come_back(self, name: str) -> None:
        accounts.remove(self.house.tx, name)
        self.house.move_in(name)

    @invariant()
    def the_count_is_right(self) -> None:
        self.house.check()
        for name in PEOPLE:
            shown = [e for f in folders.list_folders(self.house.tx, name) for e in entries.entries(self.house.tx, f.id)]
            sql = "SELECT e.size FROM entry e JOIN account a ON a.id = e.account WHERE a.name = ? AND e.post NOTNULL"
            posts = [row[0] for row in self.house.tx.all(sql, (name,))]
            kept = quota.usage(self.house.tx, name, Quota())
            assert kept[:2] == (sum(e.size for e in shown) - sum(posts), len(shown) - len(posts))


def test_the_count_is_right_whatever_happens() -> None:
    run_state_machine_as_test(Keeping, settings=settings(max_examples=80, stateful_step_count=40, deadline=None))


def test_limits_of_its_own_come_before_the_configurations() -> None:
    house = House()
    house.move_in("alice")
    house.append("alice", "x")
    tight, ten = Quota(octets=10), Quota(messages=10)
    assert quota.is_full(house.tx, "alice", tight) and not quota.is_full(house.tx, "alice", ten)
    quota.set_limits(house.tx, "alice", 0, 1)
    assert quota.is_full(house.tx, "alice", tight)
    quota.set_limits(house.tx, "alice", 0, 2)
    assert not quota.is_full(house.tx, "alice", tight)
    quota.check_room(house.tx, "alice", 1 << 40, 1, tight)
    with pytest.raises(OverQuota):
        quota.check_room(house.tx, "alice", 1, 2, tight)
    assert not quota.is_full(house.tx, "nobody", tight)


def test_what_was_there_before_it_was_counted_is_counted() -> None:
    """The tables of an older host are brought up to date."""
    house = House(MIGRATIONS[:2])
    house.tx.execute("INSERT INTO account (name, cursor, uidvalidity, created) VALUES ('alice', 0, 1, 0)")
    house.tx.execute("INSERT INTO folder (account, name, special_use, uidvalidity) VALUES (1, 'INBOX', '', 1)")
    row = "INSERT INTO entry VALUES (1, ?, 1, ?, ?, 1, 100, 0, '', 1, 0)"
    house.tx.executemany(row, [(1, None, None), (2, None, None), (3, "bob", 1)])
    house.tx.execute("COMMIT")
    for step in MIGRATIONS[2:]:
        house.tx.connection.executescript(step.sql)
    assert quota.usage(house.tx, "alice", Quota()) == (200, 2, 0, 0)

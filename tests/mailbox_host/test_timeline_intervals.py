"""Any order of posts, welcomes, goodbyes and looks: each account ends with the posts of its intervals, each once."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from mail.control import Goodbye, Welcome
from mailbox_host import accounts, entries, filing, folders, follows, timeline
from tests.mailbox_host.house import NOW, House

PEOPLE = ("alice", "carol")
people = st.sampled_from(PEOPLE)
sources = st.sampled_from(("bob", "dora"))
numbers = st.integers(1, 12)
generations = st.integers(1, 8)
places = st.sampled_from(("INBOX", "News", "Deep/News", "bad//name"))

Post = tuple[str, int]


class Reader:
    """What an account should hold, by the simplest rules: sets, and every welcome and goodbye it ever got."""

    def __init__(self) -> None:
        self.words: dict[tuple[str, int], Welcome | Goodbye] = {}
        self.passed: set[Post] = set()  # what the log held when somebody last looked
        self.filed: set[Post] = set()

    def hear(self, word: Welcome | Goodbye) -> None:
        self.words.setdefault((word.source, word.generation), word)
        self.filed |= {post for post in self.passed if self.follows(post)}

    def look(self, log: set[Post]) -> None:
        self.passed = set(log)
        self.filed |= {post for post in log if self.follows(post)}

    def follows(self, post: Post) -> bool:
        heard = [word for (source, _), word in self.words.items() if source == post[0]]
        goodbyes = [word for word in heard if isinstance(word, Goodbye)]
        return any(
            word.from_ <= post[1] and all(post[1] < g.until for g in goodbyes if g.generation > word.generation)
            for word in heard
            if isinstance(word, Welcome)
        )


class Timelines(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        self.house.move_in(*PEOPLE)
        self.log: set[Post] = set()
        self.readers = {name: Reader() for name in PEOPLE}
        self.arrivals = NOW

    @rule(source=sources, number=numbers)
    def post(self, source: str, number: int) -> None:
        self.arrivals += 1
        assert self.house.log(source, number, self.arrivals) == ((source, number) not in self.log)
        self.log.add((source, number))

    @rule(name=people, source=sources, number=numbers)
    def post_to_one(self, name: str, source: str, number: int) -> None:
        self.arrivals += 1
        reader = self.readers[name]
        expected = not reader.follows((source, number)) and (source, number) not in reader.filed
        assert self.house.hand(name, source, number, self.arrivals) == expected
        self.log.add((source, number))
        if expected:
            reader.filed.add((source, number))

    @rule(name=people, source=sources, number=numbers, generation=generations, folder=places)
    def welcome(self, name: str, source: str, number: int, generation: int, folder: str) -> None:
        word = Welcome(source, number, generation, folder)
        timeline.welcome(self.house.tx, name, word, NOW)
        self.readers[name].hear(word)

    @rule(name=people, source=sources, number=numbers, generation=generations)
    def goodbye(self, name: str, source: str, number: int, generation: int) -> None:
        word = Goodbye(source, number, generation)
        timeline.goodbye(self.house.tx, name, word)
        self.readers[name].hear(word)

    @rule(name=people)
    def look(self, name: str) -> None:
        self.house.look(name)
        self.readers[name].look(self.log)

    @rule(name=people, pick=st.randoms(use_true_random=False))
    def tidy(self, name: str, pick: object) -> None:
        """Expunge, move and copy, as mail clients do: what was had does not come back."""
        for folder in folders.list_folders(self.house.tx, name):
            uids = entries.uids(self.house.tx, folder.id)
            chosen = [uid for uid in uids if pick.random() < 0.5]  # type: ignore[attr-defined]
            act = pick.choice(("expunge", "move", "copy"))  # type: ignore[attr-defined]
            if act == "expunge":
                assert entries.expunge(self.house.tx, folder.id, chosen) == chosen
            else:
                target = self.house.folder(name, "Archive")
                made = getattr(entries, act)(self.house.tx, folder.id, chosen, target, NOW)
                assert [old for old, _ in made] == chosen

    @rule(name=people)
    def drop_folder(self, name: str) -> None:
        if folders.find_folder(self.house.tx, name, "News"):
            folders.delete_folder(self.house.tx, name, "News")

    @invariant()
    def nothing_is_lost_or_twice(self) -> None:
        self.house.check()
        for name, reader in self.readers.items():
            assert self._had(name) == sorted(reader.filed)

    def teardown(self) -> None:
        for name, reader in self.readers.items():
            self.look(name)
            covered = {post for post in self.log if reader.follows(post)}
            assert covered <= set(self._had(name))
            assert not timeline.behind(self.house.tx, name)
        self.nothing_is_lost_or_twice()

    def _had(self, name: str) -> list[Post]:
        return self.house.tx.all(
            """
            SELECT source, post FROM entry WHERE account = (SELECT id FROM account WHERE name = ?1) AND source NOTNULL
            UNION ALL SELECT source, post FROM had_post WHERE account = (SELECT id FROM account WHERE name = ?1)
            ORDER BY source, post
            """,
            (name,),
        )


def test_any_interleaving() -> None:
    run_state_machine_as_test(Timelines, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))


class Patient(Timelines):
    """Looks after every welcome: what did not fit into its transaction is filed then."""

    @rule(name=people, source=sources, number=numbers, generation=generations, folder=places)
    def welcome(self, name: str, source: str, number: int, generation: int, folder: str) -> None:
        super().welcome(name, source, number, generation, folder)
        self.look(name)


def test_any_interleaving_a_post_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where each transaction stops after two posts and leaves the rest to the next look."""
    monkeypatch.setattr(follows, "file_covered", partial(filing.file_covered, most=2))
    monkeypatch.setattr(timeline, "file_beyond", partial(filing.file_beyond, most=2))
    run_state_machine_as_test(Patient, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))


def test_who_follows_and_leaves_often_still_gets_what_came_meanwhile() -> None:
    house = House()
    house.move_in("alice")
    timeline.welcome(house.tx, "alice", Welcome("bob", 1, 1), NOW)
    house.log("bob", 1)  # nobody looked yet
    for generation in range(2, 2 + 2 * follows.GENERATIONS_MAX, 2):
        timeline.goodbye(house.tx, "alice", Goodbye("bob", 2, generation))
        timeline.welcome(house.tx, "alice", Welcome("bob", 2, generation + 1), NOW)
    house.look("alice")
    assert house.subjects("alice") == ["bob 1"]


def test_a_post_for_one_account_costs_the_same_however_many_follow() -> None:
    """Counted in steps of SQLite's machine, by hundreds."""
    counts = []
    for others in (10, 2_000):
        house = House()
        house.move_in("alice")
        timeline.welcome(house.tx, "alice", Welcome("bob", 1, 1), NOW)
        owner = accounts.account_id(house.tx, "alice")
        for other in range(1, others):
            values = (owner - other, "bob", 1, 1, follows.OPEN, 0)  # before her in the index
            sql = "INSERT INTO follow (account, source, generation, from_post, until_post, folder)"
            house.tx.execute(f"{sql} VALUES (?, ?, ?, ?, ?, ?)", values)
        steps: list[int] = []
        house.tx.connection.set_progress_handler(lambda steps=steps: steps.append(1), 100)
        house.hand("alice", "bob", 1)
        counts.append(len(steps))
    assert counts[1] <= counts[0] + 3, counts

"""Posts chosen by words: what is not wanted is never filed, and everything else once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.control import Goodbye, Sift, Welcome
from mailbox_host import sifting, timeline
from mailbox_host.follows import FILED_AT_ONCE_MAX
from tests.mailbox_host.house import NOW, House, letter


@pytest.fixture
def house() -> House:
    here = House()
    here.move_in("alice", "eve")
    for name in ("alice", "eve"):
        timeline.welcome(here.tx, name, Welcome("bob", 1, 1), NOW)
    return here


def test_only_what_is_wanted_is_filed_and_the_rest_was_had(house: House) -> None:
    sifting.sift(house.tx, "alice", Sift("bob", "3\n5\n7\n", "bob 5\n", 1))
    for number in range(1, 8):
        house.log("bob", number)
    assert house.look("alice") == 7 and house.subjects("alice") == ["bob 3", "bob 7"]
    assert house.look("eve") == 7 and len(house.subjects("eve")) == 7
    sifting.sift(house.tx, "alice", Sift("bob", "", "", 2))  # what was left out stays so
    timeline.welcome(house.tx, "alice", Welcome("bob", 1, 2), NOW)
    house.log("bob", 8)
    house.look("alice")
    assert house.subjects("alice") == ["bob 3", "bob 7", "bob 8"]
    house.check()


def test_a_post_for_one_account_is_judged_too(house: House) -> None:
    house.move_in("carol")
    sifting.sift(house.tx, "carol", Sift("bob", "no such word\n", "", 1))
    assert not house.hand("carol", "bob", 1)
    sifting.sift(house.tx, "carol", Sift("bob", "", "", 2))
    assert not house.hand("carol", "bob", 1)  # had is had
    assert house.hand("carol", "bob", 2) and house.subjects("carol") == ["bob 2"]


def test_more_than_are_judged_at_once_come_all_the_same(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sifting, "SIFTED_AT_ONCE_MAX", 3)
    sifting.sift(house.tx, "alice", Sift("bob", "", "bob 4\n", 1))
    for number in range(1, 12):
        house.log("bob", number)
    for generation in range(2, 70):  # old rows go only when what they cover was filed
        timeline.welcome(house.tx, "alice", Welcome("bob", 1, generation), NOW)
    house.look("alice")
    assert house.subjects("alice") == [f"bob {number}" for number in range(1, 12) if number != 4]
    assert FILED_AT_ONCE_MAX > 3


def test_an_interval_goes_only_when_what_it_covers_was_filed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sifting, "SIFTED_AT_ONCE_MAX", 3)
    timeline.goodbye(house.tx, "alice", Goodbye("bob", 12, 2))
    sifting.sift(house.tx, "alice", Sift("bob", "", "bob 4\n", 1))
    for number in range(1, 12):
        house.log("bob", number)
    for generation in range(3, 68):  # GENERATIONS_MAX, and one more
        timeline.welcome(house.tx, "alice", Welcome("bob", 100, generation), NOW)
    house.look("alice")
    assert house.subjects("alice") == [f"bob {number}" for number in range(1, 12) if number != 4]


def test_an_older_word_comes_too_late_and_who_leaves_begins_anew(house: House) -> None:
    sifting.sift(house.tx, "alice", Sift("bob", "new\n", "", 5))
    sifting.sift(house.tx, "alice", Sift("bob", "old\n", "", 4))
    assert sifting.sifts_of(house.tx, "alice") == {"bob": ("new\n", "")}
    timeline.goodbye(house.tx, "alice", Goodbye("bob", 1, 2))
    assert sifting.sifts_of(house.tx, "alice") == {}


@pytest.mark.parametrize(
    ("only", "without", "passes"),
    [
        ("rust\n", "", True),
        ("RUST\n", "", True),
        ("rus\n", "", False),  # a whole word
        ("c++\n", "", True),
        ("go\nrust\n", "", True),
        ("rust lang\n", "", True),
        ("", "trust\n", True),
        ("rust\n", "c++\n", False),
        ("日本\n", "", True),
        ("straße\n", "", True),
        ("STRASSE\n", "", True),
        ("gibt es nicht\n", "", False),
    ],
)
def test_words(only: str, without: str, passes: bool) -> None:
    content = letter("On Rust lang, and C++", "日本語 in der Straße")
    assert sifting.passes(content, only, without) == passes


@given(st.binary(max_size=300), st.text(max_size=30), st.text(max_size=30))
def test_whatever_it_is_made_of_it_is_judged(content: bytes, only: str, without: str) -> None:
    sifting.passes(content, f"{only}\n", f"{without}\n")

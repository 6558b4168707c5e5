"""Mailboxes that another server keeps: each follower is handed each post once, whatever comes between."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from mail.control import Goodbye, Sift, Welcome
from mailbox_host import outward, timeline
from mailbox_host.outward import Lot
from mailbox_host.sifting import sift
from mailbox_host.timeline import catch_up, goodbye, welcome
from store import Bodies
from tests.mailbox_host.house import NOW, House


def drained(house: House) -> list[Lot]:
    lots: list[Lot] = []
    while (more := outward.next_lots(house.tx)) is not None:
        lots += more
    return lots


def handed(house: House, lots: list[Lot]) -> Counter[tuple[str, str, str]]:
    """(account, folder, subject), counted."""
    subjects = {
        lot.body: Bodies.read(house.tx, lot.body).split(b"Subject: ")[1].split(b"\r\n")[0].decode() for lot in lots
    }
    return Counter((name, folder, subjects[lot.body]) for lot in lots for name, folder in lot.to)


def a_house(*names: str) -> House:
    house = House()
    house.move_in(*names)
    outward.begin(house.tx)
    return house


def test_a_post_is_one_lot_for_all_its_followers_in_their_folders() -> None:
    house = a_house("alice", "carol", "dave")
    for name, folder in (("alice", "INBOX"), ("carol", "News"), ("dave", "INBOX")):
        welcome(house.tx, name, Welcome("bob", 1, 1, folder), NOW)
    goodbye(house.tx, "dave", Goodbye("bob", 1, 2))
    house.log("bob", 1)
    (lot,) = drained(house)
    assert sorted(lot.to) == [("alice", "INBOX"), ("carol", "News")]
    assert drained(house) == [] and catch_up(house.tx, "alice") == 0
    assert not timeline.behind(house.tx, "alice")


def test_a_welcome_that_comes_late_is_owed_what_it_covers_once() -> None:
    house = a_house("alice")
    house.log("bob", 4), house.log("bob", 5)
    assert drained(house) == []
    welcome(house.tx, "alice", Welcome("bob", 5, 1, "INBOX"), NOW)
    assert handed(house, drained(house)) == {("alice", "INBOX", "bob 5"): 1}
    welcome(house.tx, "alice", Welcome("bob", 4, 2, "INBOX"), NOW)
    assert handed(house, drained(house)) == {("alice", "INBOX", "bob 4"): 1}


def test_a_post_that_was_sent_to_one_alone_is_not_handed_out_again() -> None:
    house = a_house("alice", "carol")
    assert house.hand("alice", "bob", 1)  # the caller sends it on
    welcome(house.tx, "alice", Welcome("bob", 1, 1, "INBOX"), NOW)
    welcome(house.tx, "carol", Welcome("bob", 1, 1, "INBOX"), NOW)
    assert handed(house, drained(house)) == {("carol", "INBOX", "bob 1"): 1}
    assert not house.hand("alice", "bob", 1)


def test_who_chooses_by_words_gets_what_she_chose() -> None:
    house = a_house("alice", "carol")
    for name in ("alice", "carol"):
        welcome(house.tx, name, Welcome("bob", 1, 1, "INBOX"), NOW)
    sift(house.tx, "alice", Sift("bob", "2\n", "", 1))
    house.log("bob", 1), house.log("bob", 2)
    got = handed(house, drained(house))
    assert {key for key in got if key[0] == "alice"} == {("alice", "INBOX", "bob 2")} and len(got) == 3


def test_many_followers_are_served_in_parts_and_a_crash_between_goes_on() -> None:
    names = [f"u{n}" for n in range(25)]
    house = a_house(*names)
    for name in names:
        welcome(house.tx, name, Welcome("bob", 1, 1, "INBOX"), NOW)
    house.log("bob", 1), house.log("bob", 2)
    outward.FOLLOWERS_AT_ONCE_MAX, before = 10, outward.FOLLOWERS_AT_ONCE_MAX
    try:
        lots = drained(house)
    finally:
        outward.FOLLOWERS_AT_ONCE_MAX = before
    assert [len(lot.to) for lot in lots] == [10, 10, 5] * 2
    assert set(handed(house, lots).values()) == {1}


def test_what_nobody_looked_at_before_the_change_is_handed_out_and_what_was_filed_is_not() -> None:
    house = House()
    house.move_in("alice", "carol")
    for name in ("alice", "carol"):
        welcome(house.tx, name, Welcome("bob", 1, 1, "INBOX"), NOW)
    house.log("bob", 1)
    catch_up(house.tx, "alice")
    house.log("bob", 2)
    outward.begin(house.tx)
    outward.begin(house.tx)
    got = handed(house, drained(house))
    assert got == {("alice", "INBOX", "bob 2"): 1, ("carol", "INBOX", "bob 1"): 1, ("carol", "INBOX", "bob 2"): 1}
    house.log("bob", 3)
    drained(house)
    house.log("bob", 4)  # not handed out yet
    outward.end(house.tx)
    catch_up(house.tx, "alice")
    assert house.subjects("alice") == ["bob 1", "bob 4"]


def test_who_was_owed_something_finds_it_here_when_the_mailboxes_come_back() -> None:
    house = House()
    house.log("bob", 1)
    house.move_in("alice")  # her cursor is behind it
    outward.begin(house.tx)
    welcome(house.tx, "alice", Welcome("bob", 1, 1, "INBOX"), NOW)
    outward.end(house.tx)
    assert house.look("alice") == 1 and house.subjects("alice") == ["bob 1"]


def test_an_account_does_not_go_before_it_was_handed_what_is_due() -> None:
    house = a_house("alice")
    assert not outward.is_pending(house.tx, "alice")
    welcome(house.tx, "alice", Welcome("bob", 1, 1, "INBOX"), NOW)
    drained(house)
    house.log("bob", 1)
    assert outward.is_pending(house.tx, "alice")
    drained(house)
    assert not outward.is_pending(house.tx, "alice")


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("post")),
        st.tuples(st.just("hand"), st.sampled_from("ac")),
        st.tuples(st.just("welcome"), st.sampled_from("ac"), st.integers(0, 3), st.sampled_from(["INBOX", "News"])),
        st.tuples(st.just("goodbye"), st.sampled_from("ac")),
        st.tuples(st.just("drain")),
    ),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=60)
def test_no_follower_is_handed_a_post_twice_or_left_without(steps: list[tuple[object, ...]]) -> None:
    house, number = a_house("a", "c"), 0
    lots: list[Lot] = []
    alone: Counter[tuple[str, str]] = Counter()
    wanted: set[tuple[str, str]] = set()
    covered: dict[str, int | None] = {"a": None, "c": None}
    for generation, step in enumerate(steps, 1):
        match step:
            case ("post",):
                number += 1
                house.log("bob", number)
                wanted |= {(who, f"bob {number}") for who, since in covered.items() if since is not None}
            case ("hand", str(who)) if number:
                alone[who, f"bob {number}"] += house.hand(who, "bob", number)
                wanted.add((who, f"bob {number}"))
            case ("welcome", str(who), int(back), str(folder)):
                first = max(number + 1 - back, 1)
                welcome(house.tx, who, Welcome("bob", first, generation, folder), NOW)
                wanted |= {(who, f"bob {n}") for n in range(first, number + 1)}
                covered[who] = first
            case ("goodbye", str(who)):
                goodbye(house.tx, who, Goodbye("bob", number + 1, generation))
                covered[who] = None
            case ("drain",):
                lots += drained(house)
    lots += drained(house)
    got = alone + Counter({(who, subject): count for (who, _, subject), count in _merged(handed(house, lots)).items()})
    assert got == Counter(dict.fromkeys(wanted, 1))


def _merged(counts: Counter[tuple[str, str, str]]) -> Counter[tuple[str, str, str]]:
    merged: Counter[tuple[str, str, str]] = Counter()
    for (who, _, subject), count in counts.items():
        merged[who, "", subject] += count
    return merged

"""Somebody who comes and goes more often than generations are kept, and looks only at the end."""

from __future__ import annotations

from mail.control import Goodbye, Welcome
from mailbox_host import follows, timeline
from tests.mailbox_host.house import NOW, House


def test_who_never_looks_while_coming_and_going_has_every_post_of_her_time() -> None:
    house, mine = House(), []
    house.move_in("alice")
    for number in range(1, 3 * follows.GENERATIONS_MAX):
        if number % 2:
            timeline.welcome(house.tx, "alice", Welcome("bob", number, number), NOW)
        else:
            timeline.goodbye(house.tx, "alice", Goodbye("bob", number, number))
        house.log("bob", number)
        mine += [f"bob {number}"] * (number % 2)
    house.look("alice")
    assert house.subjects("alice") == mine
    kept = house.tx.one("SELECT count(*) FROM follow")
    assert kept == (follows.GENERATIONS_MAX,)
    house.check()

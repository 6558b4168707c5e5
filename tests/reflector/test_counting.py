"""How many follow a feed: the host that polls it asks, and is told what is known, or nothing."""

from __future__ import annotations

import pytest

from mail.control import CreateSource, Followers, Subscribe
from mail.feed_control import TellFollowers
from reflector.tables import OPEN
from tests.reflector.town import NAMES, REMOTE, Town

QUESTION = TellFollowers("lamps", 7)


@pytest.fixture
def town() -> Town:
    """A feed with two followers abroad, one on another host, and four on this one."""
    town = Town()
    town.room._local = lambda place, source: 4 if source == "lamps" else 0
    town.control("lamps", CreateSource("lamps", "lamps", "Lamps", 3))
    for who in ("zoe@far.example", "max@far.example", NAMES.person(REMOTE)):
        town.control("lamps", Subscribe("lamps", who))
    town.sent.clear()
    return town


def told(town: Town) -> list[object]:
    return [control for mail in town.sent if mail.to == NAMES.follow(7) for control in mail.controls]


def test_rows_and_the_accounts_of_the_lists_own_host_are_counted(town: Town) -> None:
    town.control("lamps", QUESTION)
    assert told(town) == [Followers("lamps", 7)] and all(mail.signed for mail in town.sent)


def test_branches_count_as_they_last_said_and_make_the_number_unknown_until_then(town: Town) -> None:
    branch = "INSERT INTO branch (list, name, kind, lo, hi, from_post, until_post, epoch, total, folded, closed) VALUES"
    town.tx.execute(f"{branch} ('lamps', 'host-3', 'leaf', 0, 0, 1, {OPEN}, 1, 50, 0, 0)")
    town.control("lamps", QUESTION)
    assert told(town) == [Followers("lamps", 57)]
    town.tx.execute(f"{branch} ('lamps', 'lamps+sub.1', 'sub', 0, 9, 1, {OPEN}, 1, 0, 0, 0)")
    town.control("lamps", QUESTION)
    assert told(town) == [Followers("lamps", 57)]


def test_nobody_is_told_of_what_is_not_here_or_without_a_hosts_word(town: Town) -> None:
    town.control("other", TellFollowers("other", 7))
    town.control("lamps", TellFollowers("other", 7))
    town.control("lamps", QUESTION, host="")
    assert told(town) == []
    town.control("lamps", TellFollowers("lamps", 7 + NAMES.buckets * 3))
    assert told(town) == [Followers("lamps", 7)]

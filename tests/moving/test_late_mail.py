"""Followers and lists that move while a welcome, a goodbye or posts are on their way: every schedule of these stories.

Each rule that the protocol has for this is left out once, and some schedule notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import pytest

from mailbox_host import passing, straying
from reflector import expansion
from tests.moving.late_mail import CROWD, LAST, ROWS, Deed, Story, move
from tests.reflector.tree_mutants import Mutant

A, B, C = "host-1", "host-2", "host-3"
FOLLOW, LEAVE, POST = ("ask", "ann", "subscribe"), ("ask", "ann", "unsubscribe"), ("post",)
Schedule = tuple[str, Story, dict[str, int]]


def one_move(to: str = B) -> list[Deed]:
    edit, seal, take = move("timeline", "ann", to)
    return [FOLLOW, POST, edit, seal, POST, take, POST]


def a_welcome() -> Iterator[Schedule]:
    """It comes before she goes, while she is nobody's, when she is there, or much later; the list lives on a third
    host, with her, or where she goes; posts are late too, and so is the zone."""
    for lists, (limits, leaf, by_hand) in product((C, A, B), ((CROWD, A, False), (CROWD, "", True), (ROWS, "", False))):
        story = Story(lists, A, one_move(), leaf, limits, by_hand)
        for welcome, post in ((2, LAST), (3, 0), (5, 2), (LAST, 0), (LAST, LAST)):
            yield "welcome", story, {"welcome": welcome, "post": post, f"zone {lists}": welcome % 2 * 3}


def other_words() -> Iterator[Schedule]:
    """A goodbye, another folder, and following again are on their way."""
    edit, seal, take = move("timeline", "ann", B)
    stories = (
        [FOLLOW, POST, LEAVE, POST, edit, seal, take, POST],
        [FOLLOW, POST, (*FOLLOW, "folder=News"), POST, edit, seal, take, POST],
        [FOLLOW, POST, LEAVE, POST, FOLLOW, POST, edit, seal, take, POST],
    )
    lates = ({"goodbye": LAST}, {"welcome": LAST}, {"post": LAST}, {"goodbye": 4, "welcome": LAST, "welcome 3": 0})
    for deeds, late in product(stories, lates):
        yield "words", Story(C, A, deeds, A), late


def two_moves() -> Iterator[Schedule]:
    """She is back, or on a third host, before anybody has heard that she was gone."""
    for to, lists, late in product((A, C), (A, C), (0, LAST)):
        deeds = [FOLLOW, POST, *move("timeline", "ann", B), POST, *move("timeline", "ann", to), POST]
        for welcome in (5, LAST):
            when = {"welcome": welcome, "moved": late, "post": late, f"zone {lists}": 3}
            yield "twice", Story(lists, A, deeds, A), when


def list_and_follower() -> Iterator[Schedule]:
    """Both move at once, in any order; to one host, or each to the other's."""
    his, hers = move("reflectors", "bob", B), move("timeline", "ann", B)
    theirs = move("timeline", "ann", C)
    orders = (
        [FOLLOW, POST, *his, POST, *hers, POST],
        [FOLLOW, his[0], hers[0], his[1], POST, hers[1], his[2], POST, hers[2], POST],
        [FOLLOW, POST, hers[0], hers[1], *his, POST, hers[2], POST],
        [his[0], his[1], FOLLOW, POST, theirs[0], theirs[1], his[2], POST, theirs[2]],
    )
    for deeds, (welcome, post) in product(orders, ((LAST, 0), (LAST, LAST), (4, LAST))):
        yield "both", Story(C, A, deeds, A), {"welcome": welcome, "post": post, "zone host-1": 2}


def trees() -> Iterator[Schedule]:
    """A leaf comes or goes meanwhile; the zone is set back."""
    edit, seal, take = move("timeline", "ann", B)
    back = ("edit", "timeline", "ann", A)
    for late in ({"adopt": LAST}, {"adopted": LAST}, {"adopt": 5}, {"adopted": 5, "moved": 6}):
        yield "leaf", Story(C, A, [FOLLOW, POST, edit, seal, POST, take, POST], ""), late
    for late in ({}, {"welcome": LAST}, {"welcome": 3, "post": 2}):
        yield "back", Story(C, A, [edit, FOLLOW, POST, POST, back, POST], B), late
        yield "back", Story(C, A, [FOLLOW, edit, POST, back, POST], "", CROWD, True), late


@pytest.mark.parametrize("schedules", [a_welcome, other_words, two_moves, list_and_follower, trees])
def test_nobody_misses_a_post(schedules: Callable[[], Iterator[Schedule]]) -> None:
    for name, story, when in schedules():
        assert not (fault := story.play(when).fault()), f"{name}: {fault}; {story}, {when}"


def _late(kind: Callable[[], Iterator[Schedule]], number: int) -> Schedule:
    return list(kind())[number]


MUTANTS = (
    (
        Mutant(
            "a welcome is taken wherever it comes", straying.claim, "directory.stands_for(word.at) != host", "False"
        ),
        _late(a_welcome, 0),
    ),
    (
        Mutant("what the leaf has already stays there", straying.send_after, "post >= ?", "post >= ? + (1 << 60)"),
        _late(a_welcome, 1),
    ),
    (
        Mutant("the list is not told of who went astray", passing.follow, "if word.until == OPEN:", "if False:"),
        _late(a_welcome, 0),
    ),
    (
        Mutant("what has ended is not sent after her", passing.leave, "f.from_post < f.until_post", "f.from_post < 0"),
        _late(other_words, 2),
    ),
    (
        Mutant("one copy for all of whom the zone moved", expansion._by_host, "house.has_moved(name)", "False"),
        _late(trees, 5),
    ),
    (Mutant("one copy for nobody's host", expansion._by_host, 'counted[""] = 0', "pass"), _late(a_welcome, 5)),
)


@pytest.mark.parametrize(("mutant", "schedule"), MUTANTS, ids=lambda one: one.name if isinstance(one, Mutant) else "")
def test_a_rule_left_out_is_noticed(mutant: Mutant, schedule: Schedule) -> None:
    _, story, when = schedule
    with mutant.alive():
        assert story.play(when).fault()

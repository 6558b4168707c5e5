"""Followers and lists that move while a welcome, a goodbye or posts are on their way: every schedule of these stories.

Each rule that the protocol has for this is left out once, and some schedule notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import pytest

from mailbox_host import leaves, passing, straying
from reflector import expansion, handing_over, moved, told
from tests.moving.late_mail import CROWD, LAST, ROWS, Deed, Story, move
from tests.moving.late_place import NAMES
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
        for welcome, post in ((2, LAST), (3, 0), (LAST, LAST)):
            yield "welcome", story, {"welcome": welcome, "post": post, f"zone {lists}": welcome % 2 * 3}


def late_posts() -> Iterator[Schedule]:
    """They come to where she lived while she is nobody's, and the list is where she goes."""
    for late in (2, 3, 4):
        yield "posts", Story(B, A, one_move(), A), {"post": late}


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
    for to, lists in product((A, C), (A, C)):
        deeds = [FOLLOW, POST, *move("timeline", "ann", B), POST, *move("timeline", "ann", to), POST]
        for welcome, late in ((5, LAST), (LAST, 0)):
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
    for deeds, (welcome, post) in product(orders, ((LAST, 0), (4, LAST))):
        yield "both", Story(C, A, deeds, A), {"welcome": welcome, "post": post, "zone host-1": 2}


def trees() -> Iterator[Schedule]:
    """A leaf comes or goes meanwhile."""
    edit, seal, take = move("timeline", "ann", B)
    for late in ({"adopt": LAST}, {"adopted": LAST}, {"adopt": 5}, {"adopted": 5}, {"adopted": 5, "moved": 6}):
        yield "comes", Story(C, A, [FOLLOW, POST, edit, seal, take, POST, POST]), late
    for lists in (C, B):
        alone = [FOLLOW, ("ask", "bea", "unsubscribe"), edit, seal, take, ("flatten",), POST, POST, POST]
        yield "goes", Story(lists, A, alone, A), {"welcome": LAST}
        left = [FOLLOW, edit, seal, take, LEAVE, ("flatten",), POST, POST]
        yield "goes", Story(lists, A, left, A), {"goodbye": LAST, "moved": LAST}


def set_back() -> Iterator[Schedule]:
    """The zone names another host for her, and is set back before she goes."""
    edit, back = ("edit", "timeline", "ann", B), ("edit", "timeline", "ann", A)
    for late in ({}, {"welcome": LAST}, {"welcome": 3, "post": 2}):
        yield "back", Story(C, A, [edit, FOLLOW, POST, POST, back, POST], B), late
        yield "back", Story(C, A, [FOLLOW, edit, POST, back, POST], "", CROWD, True), late
        yield "back", Story(C, A, [FOLLOW, edit, POST, back, POST]), late


STORIES = (a_welcome, late_posts, other_words, two_moves, list_and_follower, trees, set_back)


@pytest.mark.parametrize("schedules", STORIES)
def test_nobody_misses_a_post(schedules: Callable[[], Iterator[Schedule]]) -> None:
    for name, story, when in schedules():
        assert not (fault := story.play(when).fault()), f"{name}: {fault}; {story}, {when}"


NOT_HERE = "directory.stands_for(word.at) != host"
TOLD_THERE = "host == (at or house.home(entity))"
BEING_GIVEN = " or is_handed_over(tx, list_, who.address)"
MUTANTS = (
    (Mutant("a welcome is taken wherever it comes", straying.claim, NOT_HERE, "False"), a_welcome),
    (Mutant("what the leaf has stays there", straying.send_after, "post >= ?", "post >= ? + (1 << 60)"), a_welcome),
    (Mutant("the list is not told of who went astray", passing.follow, "word.until == OPEN", "False"), a_welcome),
    (Mutant("the list's host takes nothing from leaves", straying.wants, "_is_from_leaf(", "not ("), late_posts),
    (
        Mutant("what has ended is left behind", passing.leave, "f.from_post < f.until", "f.from_post * 0 > f.until"),
        other_words,
    ),
    (Mutant("one copy where the zone moved her", expansion._by_host, "house.has_moved(name)", "False"), set_back),
    (Mutant("one copy for nobody's host", expansion._by_host, 'counted[""] = 0', "pass"), a_welcome),
    (Mutant("who is not here yet is gone", leaves._refused, "GONE if is_ours else MOVED", "GONE"), set_back),
    (Mutant("a leaf without all of them", handing_over.take_answer, "row.folder == MOVED", "False"), set_back),
    (Mutant("she is served by a row that ends", moved._doubt, BEING_GIVEN, ""), trees),
    (Mutant("told where she lives now", told.corrected, TOLD_THERE, "host == house.home(entity)"), trees),
    (Mutant("who left elsewhere comes back", told.corrected, " or entity in found", ""), trees),
)


@pytest.mark.parametrize(("mutant", "schedules"), MUTANTS, ids=[mutant.name for mutant, _ in MUTANTS])
def test_a_rule_left_out_is_noticed(mutant: Mutant, schedules: Callable[[], Iterator[Schedule]]) -> None:
    with mutant.alive():
        assert any(story.play(when).fault() for _, story, when in schedules())


def test_a_post_that_came_for_one_is_sent_after_the_others() -> None:
    """A list that has a row of somebody behind a leaf sends her a copy of her own: it may come before the leaf's."""
    deeds = [FOLLOW, *move("timeline", "ann", B)]
    world = Story(C, A, deeds, A).begin({"moved": LAST, "post": 1})
    for deed in (*deeds, POST):
        world.do(deed)
    (late,) = (mail for mail in world.queued if mail.to.startswith("bob+leaf@host-1"))
    world.queued.insert(0, replace(late, to=NAMES.timeline("bea")))
    world.do(POST)
    world.finish()
    assert not world.fault()

"""A source goes, and one of its name comes again: it begins with nobody."""

from __future__ import annotations

import heapq

from mail.control import RemoveSource
from reflector import Settings, tending
from tests.reflector.tree_world import DIRECTORY, FAIR, NAMES, World


def test_nobody_follows_the_next_source_of_a_name_by_what_she_was_told_of_the_last() -> None:
    """A leaf that comes back is corrected by what was told lately: not by what was told of a source that went."""
    world = World(7, Settings(leaf_threshold=1), FAIR)
    away = [who for who in world.followers.values() if who.entity and home_of(who.entity) == "host-1"]
    first, second = away[:2]
    for who in (first, second):
        world.create()
        world.toggle(who)
        world.settle()
        stand = tending.stand_of(world.root.tx, "bob")
        assert stand and [leaf.name for leaf in stand.leaves] == ["host-1"]
        if who is first:
            world.control("bob", RemoveSource("bob"))
            world.settle()
    tending.ask(world.root.tx, "bob", tending.FLAT, world.now)
    world.settle()
    rows = world.root.tx.all("SELECT address FROM subscriber WHERE until_post = 9223372036854775807")
    assert rows == [(second.address,)]


def home_of(entity: str) -> str:
    return DIRECTORY.owner("timeline", NAMES.bucket(entity))


def test_a_hand_over_that_comes_after_the_end_is_ended_too() -> None:
    """The last part is late: the list below has heard that all is over before it has its followers."""
    world = World(7, Settings(split_threshold=4, fanout_max=2, leaf_threshold=50), FAIR)
    world.create()
    for who in world.followers.values():
        world.toggle(who)
    late = []
    while not any(mail.control.startswith("adopt ") for _, _, mail in late):
        world.run(world.now + 1)
        late += [each for each in world.waiting if each[2].control.startswith("adopt ")]
        world.waiting = [each for each in world.waiting if each not in late]
        heapq.heapify(world.waiting)
    world.control("bob", RemoveSource("bob"))
    world.settle()
    for _, _, mail in late:
        world.post(mail)
    world.settle()
    for host in world.hosts.values():
        assert not host.tx.all("SELECT * FROM subscriber WHERE until_post = 9223372036854775807")

"""A source goes, and one of its name comes again: it begins with nobody."""

from __future__ import annotations

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

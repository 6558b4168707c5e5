"""A list below loses its database: its parent gives it its followers again; everybody has each post once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mail.envelope import Outgoing
from reflector import Settings, tending
from reflector.mending import Mended
from tests.reflector.test_tree_commands import FIRST, SECOND
from tests.reflector.test_tree_forgery import SUB, at
from tests.reflector.tree_world import FAIR, Host, World

LOST = {
    "name": ("source",),
    "source": ("subscriber", "recent_post", "posted"),
    "list": ("node", "branch", "relayed", "look", "part", "staged"),
}


@pytest.fixture
def world() -> World:
    """Bob's list had a post, then was split, and its lists below had one."""
    world = World(7, Settings(split_threshold=1000, fanout_max=2, leaf_threshold=100), FAIR)
    world.create()
    for who in world.followers.values():
        world.toggle(who)
    post(world)
    tending.ask(world.root.tx, "bob", tending.SPLIT, world.now)
    post(world)
    return world


def post(world: World) -> None:
    world.settle()
    world.publish()
    world.settle()


def lose(world: World, list_: str) -> None:
    """Its host comes back with an empty database, as far as this list goes."""
    host = at(world, list_)
    for column, tables in LOST.items():
        for table in tables:
            host.tx.execute(f"DELETE FROM {table} WHERE {column} = ?", (list_,))


def do(host: Host, ask: Callable[[], tuple[Outgoing, ...]]) -> None:
    host.step(lambda: [host.dispatch(mail, 0) for mail in ask()] and None, crash=False)


def audit(world: World) -> float:
    asked_at = world.now
    do(world.root, lambda: world.root.reflector.audit(world.root.tx, "bob", world.now))
    world.run(world.now + 600)
    return asked_at


def mend(world: World, since: float) -> list[Mended]:
    found: list[Mended] = []

    def ask() -> tuple[Outgoing, ...]:
        mended, mails = world.root.reflector.mend(world.root.tx, "bob", since, world.now)
        found.extend(mended)
        return mails

    do(world.root, ask)
    return found


def test_what_was_posted_while_it_was_lost_comes_once_to_everybody(world: World) -> None:
    lose(world, SUB)
    world.publish()
    world.run(world.now + 3600)
    assert mend(world, audit(world)) == [Mended(SUB, len(FIRST))]
    post(world)
    world.check()
    branch = next(branch for branch in stand(world).subs if branch.name == SUB)
    below = tending.stand_of(at(world, SUB).tx, SUB)
    assert below and (below.node.epoch, below.source.subscribers) == (branch.epoch, len(FIRST))


def test_commands_of_that_time_find_their_way(world: World) -> None:
    lose(world, SUB)
    for address in (FIRST[0], SECOND[0]):
        world.toggle(world.followers[address])
    world.run(world.now + 3600)
    mend(world, audit(world))
    post(world)
    world.check()
    assert not world.followers[FIRST[0]].busy


def test_a_list_that_is_well_is_left_alone(world: World) -> None:
    before = [branch.epoch for branch in stand(world).subs]
    assert mend(world, audit(world)) == []
    lose(world, SUB)
    since = audit(world)
    assert mend(world, since + 3600) == []  # said before that
    assert len(mend(world, since)) == 1
    assert mend(world, since) == []  # once
    world.settle()
    assert [branch.epoch > old for branch, old in zip(stand(world).subs, before, strict=True)] == [True, False]


def test_who_left_before_the_hand_over_does_not_come_back(world: World) -> None:
    again(world)
    world.toggle(world.followers[FIRST[0]])  # told by the list below
    world.settle()
    become(world, tending.FLAT)
    world.toggle(world.followers[FIRST[1]])  # and by the root
    world.settle()
    become(world, tending.SPLIT)
    lose(world, SUB)
    assert mend(world, audit(world)) == [Mended(SUB, len(FIRST) - 2)]
    post(world)
    world.check()


def again(world: World) -> None:
    """Folded and split, all at the same post's number."""
    become(world, tending.FLAT)
    become(world, tending.SPLIT)


def become(world: World, policy: str) -> None:
    tending.ask(world.root.tx, "bob", policy, world.now)
    world.settle()


def stand(world: World) -> tending.Stand:
    found = tending.stand_of(world.root.tx, "bob")
    assert found
    return found

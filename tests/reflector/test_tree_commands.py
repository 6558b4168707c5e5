"""A subscriber's command meets a tree that is changing: it waits, or finds its way; it is carried out once."""

from __future__ import annotations

import pytest

from directory.bucket import hash_of
from mail.control import Subscribe
from mail.outcome import Deferred, Delivered, Outcome
from mail.tree_control import Adopt, Fold, Relay
from reflector import Settings, tending
from tests.reflector.test_bounces import COMPLAINT
from tests.reflector.test_tree_forgery import SUB, at, door, home, say, told
from tests.reflector.tree_world import DIRECTORY, FAIR, NAMES, PEOPLE, STRANGERS, World

HALF = 2**31
FIRST = [address for address in STRANGERS if hash_of(address) < HALF]  # whom bob+sub.1 serves
SECOND = [address for address in STRANGERS if hash_of(address) >= HALF]


def made(leaf_threshold: int) -> World:
    """Bob's list, handed over to two lists below, and to leaves."""
    settings = Settings(split_threshold=10, fanout_max=2, leaf_threshold=leaf_threshold, answer_seconds=100)
    world = World(7, settings, FAIR)
    world.create()
    for who in world.followers.values():
        world.toggle(who)
    world.settle()
    return world


@pytest.fixture
def world() -> World:
    return made(leaf_threshold=1)


def ask_flat(world: World) -> tending.Stand:
    """The operator wants the list flat: its first branch is asked back, and its answer is under way."""
    tending.ask(world.root.tx, "bob", tending.FLAT, world.now)
    world.root.step(world.root.work, crash=False)
    world.waiting.clear()
    stand = tending.stand_of(world.root.tx, "bob")
    assert stand and stand.move
    return stand


def subscribe(world: World, address: str) -> Outcome:
    return say(world, door("bob"), told(Subscribe("bob", address)), "host-2")


def relay(world: World, epoch: int, address: str = FIRST[0]) -> Outcome:
    word = Relay("bob", 0, "unsubscribe", address, f"t{epoch}", 1, world.next_post(), epoch=epoch)
    return say(world, door(SUB), told(word), home("bob"))


def epoch_of(world: World) -> int:
    stand = tending.stand_of(at(world, SUB).tx, SUB)
    assert stand
    return stand.node.epoch


def test_a_follower_waits_while_her_hosts_leaf_is_asked_back(world: World) -> None:
    stand = ask_flat(world)
    assert stand.move and stand.move.kind == "leaf"
    for name in PEOPLE:
        fields = f"Heliograph-Authenticated: {name}\r\nFrom: {NAMES.person(name)}\r\nMessage-ID: <{name}@pen.test>\r\n"
        outcome = say(world, NAMES.reflector_inside("bob", "unsubscribe"), f"{fields}\r\n".encode(), "host-1")
        hers = DIRECTORY.owner("timeline", NAMES.bucket(name))
        assert isinstance(outcome, Deferred if hers == stand.move.branch else Delivered), name


def test_a_range_that_is_asked_back_waits_and_the_others_do_not() -> None:
    world = made(leaf_threshold=50)
    stand = ask_flat(world)
    assert stand.move and stand.move.branch == SUB
    assert isinstance(subscribe(world, FIRST[0]), Deferred)
    assert isinstance(subscribe(world, SECOND[0]), Delivered)


def test_a_list_that_goes_back_carries_out_nothing(world: World) -> None:
    epoch = epoch_of(world)
    assert isinstance(say(world, door(SUB), told(Fold("bob", epoch + 1, 1)), home("bob")), Delivered)
    assert isinstance(relay(world, epoch), Deferred)


def test_a_command_for_what_the_list_was_before_goes_up(world: World) -> None:
    epoch = epoch_of(world)
    world.waiting.clear()
    assert isinstance(relay(world, epoch - 1), Delivered)
    (_, _, mail) = world.waiting[0]
    assert mail.to == door("bob") and mail.control.startswith("relay source=bob node=1")
    assert isinstance(relay(world, epoch + 1), Deferred), "what hands the list over is still on the way"


def test_a_command_that_comes_twice_is_carried_out_once(world: World) -> None:
    for _ in range(2):
        assert isinstance(relay(world, epoch_of(world)), Delivered)
    world.settle()
    assert world.answers[FIRST[0], "goodbye"] == 1 and not world.answers[FIRST[0], "not-following"]


def test_rows_go_down_as_they_count_from_now_on(world: World) -> None:
    """Or a late post of an earlier time of the same list would find them too."""
    for policy in (tending.FLAT, tending.SPLIT):
        world.publish()
        tending.ask(world.root.tx, "bob", policy, world.now)
        world.settle()
    rows = at(world, SUB).tx.all("SELECT from_post FROM subscriber WHERE source = ? AND until_post > 9e15", (SUB,))
    assert rows and all(row[0] >= 2 for row in rows)


def test_parts_come_in_any_order_and_nothing_is_answered_before_the_last(world: World) -> None:
    epoch, sub = epoch_of(world) + 1, at(world, SUB)
    world.waiting.clear()
    for part, parts in ((3, 3), (1, 0), (1, 0), (2, 0)):
        assert not world.waiting
        control = Adopt("bob", epoch, part, parts, 1, hi=HALF, since=1, generation=9, owner="bob")
        say(world, door(SUB), told(control, f"x{part}@pen.test 1 9 INBOX\r\n"), home("bob"))
    assert [mail.control.split()[0] for _, _, mail in world.waiting] == ["adopted"]
    rows = sub.tx.all("SELECT address FROM subscriber WHERE source = ? AND until_post > 9e15 ORDER BY 1", (SUB,))
    assert rows == [("x1@pen.test",), ("x2@pen.test",), ("x3@pen.test",)]


def token_at_root(world: World, address: str) -> str:
    """The token of the copies that the root sent her before she was handed over."""
    row = world.root.tx.one("SELECT token FROM subscriber WHERE source = 'bob' AND address = ?", (address,))
    assert row and row[0]
    return str(row[0])


def split_after_a_post() -> World:
    """Those outside got a post from the root before they were handed over."""
    world = World(7, Settings(split_threshold=len(STRANGERS), fanout_max=2, leaf_threshold=50), FAIR)
    world.create()
    for address in STRANGERS:
        world.toggle(world.followers[address])
    world.settle()
    world.publish()
    world.settle()
    tending.ask(world.root.tx, "bob", tending.SPLIT, world.now)
    world.settle()
    assert SUB in world.lists()
    return world


def sub_rows(world: World, address: str) -> int:
    sql = "SELECT count(*) FROM subscriber WHERE address = ? AND until_post > 9e15"
    return sum(host.tx.one(sql, (address,))[0] for host in world.hosts.values())  # type: ignore[index]


def test_the_way_out_of_an_old_post_leads_on_weeks_after_the_split() -> None:
    world = split_after_a_post()
    way_out = NAMES.reflector_inside("bob", f"leave.{token_at_root(world, FIRST[0])}")
    world.now += 45 * 86_400
    world.publish()
    world.settle()
    for host in world.hosts.values():
        host.step(host.work, crash=False)
    content = f"From: {FIRST[0]}\r\nMessage-ID: <out@pen.test>\r\n\r\n".encode()
    assert isinstance(say(world, way_out, content, ""), Delivered)
    world.settle()
    assert sub_rows(world, FIRST[0]) == 0 and sub_rows(world, FIRST[1]) == 1


def test_a_complaint_about_a_post_of_before_the_split_ends_it() -> None:
    world = split_after_a_post()
    path = NAMES.reflector_inside("bob", f"bounce.{token_at_root(world, FIRST[0])}")
    assert isinstance(say(world, path, f"Message-ID: <c@pen.test>\r\n{COMPLAINT}".encode(), ""), Delivered)
    world.settle()
    assert sub_rows(world, FIRST[0]) == 0 and sub_rows(world, FIRST[1]) == 1

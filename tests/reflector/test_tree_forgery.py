"""What others try with the lists of a tree: each says what it is not to say, and nothing comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mail.address import parse_address
from mail.control import RemoveSource, add_controls
from mail.envelope import Arrival
from mail.follower_rows import NOTHING, Row, digest_of, read_rows, write_rows
from mail.outcome import Deferred, Delivered, Outcome, Refused
from mail.tree_control import Adopt, Adopted, Audit, Dissolve, Fold, Relay, Released, Report, Returned, TreeControl
from reflector import Settings, tending
from tests.reflector.tree_world import DIRECTORY, FAIR, HOSTS, NAMES, STRANGERS, Host, World

SUB = "bob+sub.1"


@pytest.fixture
def world() -> World:
    """Bob's list, handed over to two lists below."""
    settings = Settings(split_threshold=4, fanout_max=2, leaf_threshold=2, report_seconds=1, answer_seconds=100)
    world = World(7, settings, FAIR)
    world.create()
    for who in world.followers.values():
        world.toggle(who)
    world.publish()
    world.settle()
    assert {"bob", SUB, "bob+sub.2"} <= set(world.lists())
    return world


def home(list_: str) -> str:
    return DIRECTORY.owner("reflectors", NAMES.bucket(list_))


def at(world: World, list_: str) -> Host:
    return world.hosts[home(list_)]


def door(list_: str) -> str:
    source, _, sub = list_.partition("+")
    return NAMES.reflector_inside(source, sub or "control")


def say(world: World, to: str, content: bytes, host: str) -> Outcome:
    """A message that carries this host's valid signature, "" for none."""
    name = NAMES.classify(parse_address(to))
    receiver = world.hosts[DIRECTORY.host_of(name)]
    room: Any = receiver.mailbox if to.startswith("bob+leaf") else receiver.reflector
    receiver.sent = []
    arrival = Arrival("x@pen.test", content, 0, "", host, world.now, world.now)
    receipt = room.receive(receiver.tx, arrival, name)
    for outgoing in receipt.outgoing:
        receiver.dispatch(outgoing, 0)
    for mail in receiver.sent:
        world.post(mail)
    receiver.sent = []
    outcome: Outcome = receipt.outcome
    return outcome


def told(control: TreeControl | RemoveSource, rows: str = "") -> bytes:
    return add_controls(b"Message-ID: <forged@pen.test>\r\n\r\n" + rows.encode(), control)


def picture(world: World) -> list[Any]:
    """All that the lists know of their followers and of each other."""
    tables = ("source", "subscriber", "node", "branch", "move", "staged", "relayed", "report", "told")
    return [
        host.tx.all(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for host in world.hosts.values() for table in tables
    ] + [host.tx.all("SELECT * FROM leaf") for host in world.hosts.values()]


NOW = 2_000_000_000
ROW = write_rows([Row("x@pen.test", 1, 9)])
CONTROLS: dict[str, Callable[[], tuple[str, TreeControl, str]]] = {
    "followers": lambda: (
        SUB,
        Adopt("bob", NOW, 1, 1, 1, hi=2**32, generation=99),
        write_rows([Row("x@pen.test", 1, 9)]),
    ),
    "a fold": lambda: (SUB, Fold("bob", NOW, 1), ""),
    "a release": lambda: (SUB, Released("bob", NOW, 5, 1), ""),
    "the end": lambda: (SUB, Dissolve("bob", NOW, 5, 9, 1), ""),
    "an audit": lambda: (SUB, Audit("bob", 1), ""),
    "a command": lambda: (SUB, Relay("bob", 0, "unsubscribe", STRANGERS[0], "t", 1, 99), ""),
    "an answer": lambda: ("bob", Adopted("bob", NOW, 0, NOTHING, 1), ""),
    "rows": lambda: ("bob", Returned("bob", NOW, 1, 1, 1, NOTHING, 9, 1), ROW),
    "a report": lambda: ("bob", Report("bob", NOW, 0, 0, 0, 1, NOTHING, 1), ""),
    "a command from below": lambda: ("bob", Relay("bob", 1, "unsubscribe", STRANGERS[0], "t", 1, 99), ""),
}


@pytest.mark.parametrize("what", CONTROLS)
def test_another_host_than_the_computed_one_is_not_believed(world: World, what: str) -> None:
    to, control, rows = CONTROLS[what]()
    speaker = home("bob") if to == SUB else home(SUB)
    before = picture(world)
    for host in HOSTS:
        if host != speaker:
            assert isinstance(say(world, door(to), told(control, rows), host), Deferred), host
    assert not isinstance(say(world, door(to), told(control, rows), ""), Delivered) or to == "bob"  # a stranger's
    assert picture(world) == before


@pytest.mark.parametrize("host", HOSTS)
def test_a_leaf_hears_the_host_of_its_source_alone(world: World, host: str) -> None:
    leaf = next(name for name in HOSTS if name != home("bob"))
    believed = host in (home("bob"), leaf)  # what comes from the leaf's own host never left it
    for control in (
        Adopt("bob", NOW, 1, 1, host=leaf),
        Fold("bob", NOW, host=leaf),
        Dissolve("bob", NOW, 5, 9, host=leaf),
    ):
        before = picture(world)
        outcome = say(world, NAMES.leaf("bob", leaf), told(control), host)
        assert isinstance(outcome, Delivered if believed else Deferred)
        assert believed or picture(world) == before


def test_controls_for_another_branch_are_refused(world: World) -> None:
    """The right hosts, but a list that is not theirs to speak of."""
    before = picture(world)
    for to, control in (
        (SUB, Adopt("bob", NOW, 1, 1, 2)),
        (SUB, Adopt("dora", NOW, 1, 1, 1)),
        ("bob", Adopt("bob", NOW, 1, 1, 0)),
        ("bob", Adopted("bob", NOW, 0, NOTHING, 17)),
        ("bob", Adopted("bob", NOW, 0, NOTHING, 1, "host-1")),
        (SUB, Relay("bob", 2, "subscribe", "x@pen.test", "t", 1, 1)),
    ):
        for host in HOSTS:
            assert isinstance(say(world, door(to), told(control), host), Refused), (to, control)
    assert picture(world) == before


def test_nonsense_from_the_right_host_is_refused(world: World) -> None:
    before = picture(world)
    for control, rows in (
        (Adopt("bob", NOW, 1, 1, 1), "no row\r\n"),
        (Adopt("bob", NOW, 1, 1, 1), "x@pen.test 1 9 INBOX\r\n" * 2),
        (Adopt("bob", NOW, -1, 1, 1), ""),
        (Adopt("bob", 2**70, 1, 1, 1), ""),
    ):
        assert isinstance(say(world, door(SUB), told(control, rows), home("bob")), Refused)
    assert isinstance(say(world, door("bob"), told(Adopted("bob", 1, 0, "zz", 1)), home(SUB)), Refused)
    assert picture(world) == before


def post(number: str, source: str = "bob", more: str = "") -> bytes:
    fields = f"Heliograph-Source: {source}\r\nHeliograph-Post: {number}\r\n{more}"
    return f"{fields}From: bob@fabric.test\r\nSubject: forged\r\n\r\nforged\r\n".encode()


@pytest.mark.parametrize("content", [post("99", "dora"), post("0"), post("-1"), post("x"), post("9" * 30), b"\r\n"])
def test_what_is_no_post_of_this_source_is_refused(world: World, content: bytes) -> None:
    before = picture(world)
    assert isinstance(say(world, door(SUB), content, home("bob")), Refused)
    assert picture(world) == before


def test_a_post_is_believed_under_the_signature_of_the_roots_host_alone(world: World) -> None:
    before = picture(world)
    for host in HOSTS:
        if host != home("bob"):
            assert isinstance(say(world, door(SUB), post("99"), host), Deferred)
    assert isinstance(say(world, door(SUB), post("99"), ""), Refused)
    mine = post("99", more="Heliograph-Authenticated: bob\r\n")  # a user's own letter, which his host signed
    assert isinstance(say(world, door(SUB), mine, home("bob")), Refused)
    assert picture(world) == before


def test_a_replay_is_dropped(world: World) -> None:
    """Every post that anybody has is signed: sent again, by whatever host, it goes nowhere."""
    world.publish()
    world.settle()
    before, abroad = picture(world), world.abroad.copy()
    assert isinstance(say(world, door(SUB), post("2"), home("bob")), Delivered)
    assert picture(world) == before
    say(world, door(SUB), post("1"), home("bob"))  # from before its time: it is for nobody here
    assert world.abroad == abroad


def test_words_about_hand_overs_that_are_over_change_nothing(world: World) -> None:
    node = tending.stand_of(at(world, SUB).tx, SUB)
    assert node
    before = picture(world)
    for control in (
        Adopt("bob", node.node.epoch - 1, 1, 1, 1),
        Fold("bob", node.node.epoch, 1),
        Released("bob", node.node.epoch, 2, 1),
        Dissolve("bob", node.node.epoch - 1, 1, 9, 1),
    ):
        assert isinstance(say(world, door(SUB), told(control), home("bob")), Delivered)
    for answer in (Adopted("bob", node.node.epoch, 0, NOTHING, 1), Returned("bob", 5, 1, 1, 0, NOTHING, 0, 1)):
        assert isinstance(say(world, door("bob"), told(answer), home(SUB)), Delivered)
    world.settle()
    assert picture(world) == before


def test_a_branch_that_claims_another_digest_gets_nothing(world: World) -> None:
    """It is tried again, less and less often, and the list above delivers all the while."""
    for host in world.hosts.values():
        tending.ask(host.tx, "bob", tending.FLAT, world.now)
    for who in world.followers.values():
        if who.entity:
            world.toggle(who)
    world.settle()
    assert world.lists() == ["bob"]
    tending.ask(world.root.tx, "bob", tending.SPLIT, world.now)
    world.root.step(world.root.work, crash=False)
    for _ in range(3):
        stand = tending.stand_of(world.root.tx, "bob")
        assert stand and stand.move
        branch, epoch = stand.move.branch, stand.move.epoch
        node = int(branch.rpartition(".")[2])
        world.waiting.clear()  # the true answer never comes
        say(
            world, door("bob"), told(Adopted("bob", epoch, 1, digest_of([Row("x@pen.test", 1, 1)]), node)), home(branch)
        )
        stand = tending.stand_of(world.root.tx, "bob")
        assert stand and not stand.subs and not stand.move and stand.node.rest_until > world.now
        world.now = stand.node.rest_until
        world.root.step(world.root.work, crash=False)
    assert any(kind == "digest-differs" for _, _, kind, _ in world.story)
    world.publish()
    world.settle()
    world.check()


def test_a_list_whose_owner_is_gone_takes_its_tree_along(world: World) -> None:
    world.publish()
    world.settle()
    world.check()
    posts = world.next_post()
    world.control("bob", RemoveSource("bob"))
    world.settle()
    for host in world.hosts.values():
        assert not host.tx.all("SELECT * FROM branch WHERE until_post = 9223372036854775807")
        assert not host.tx.all("SELECT * FROM subscriber WHERE until_post = 9223372036854775807")
        assert not host.tx.all("SELECT * FROM follow WHERE until_post > ? AND from_post IS NOT NULL", (posts,))
    before = world.abroad.copy()
    for list_ in (SUB, "bob+sub.2"):
        say(world, door(list_), post(str(posts)), home("bob"))
    world.settle()
    assert world.abroad == before


def test_a_host_that_is_away_for_an_hour_holds_up_its_own_range_alone(world: World) -> None:
    away = at(world, SUB)
    away.away_until = world.now + 3600
    for _ in range(5):
        world.publish()
        world.run(world.now + 300)
    for who in world.followers.values():
        world.toggle(who)
    world.settle()
    world.publish()
    world.settle()
    world.check()


def test_rows_are_read_as_they_are_written() -> None:
    rows = [Row("dörte@pen.test", 1, 2, "Neues/Über uns"), Row('"a b"@pen.test', 0, 7), Row("alice", 3, 1)]
    text = write_rows(rows)
    assert read_rows(text.encode()) == rows and text.isascii() and text.count("\r\n") == 3
    assert digest_of(rows) == digest_of(rows[::-1]) != digest_of(rows[1:])
    for wrong in (
        "x 1 2\r\n",
        "x 1 2 I",
        "x  1 2 I\r\n",
        "x 01 2 I\r\n",
        "x 1 2 I\r\n" * 2,
        "%41 1 2 I\r\n",
        "x 1 2 ü\r\n",
    ):
        with pytest.raises(ValueError):
            read_rows(wrong.encode())

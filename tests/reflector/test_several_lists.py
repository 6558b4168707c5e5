"""A host that serves some lists of a source, and not its root: ways out and what came back find the row; lists that
went away leave nothing behind."""

from __future__ import annotations

from mail.envelope import Arrival
from mail.tree_control import Dissolve, Released
from reflector.dissolving import dissolve
from reflector.folding import let_go
from reflector.letter import House
from reflector.nodes import FOLDING, Node, write_node
from reflector.relaying import relay_post
from reflector.sources import create_source, find_source, keep_recent
from reflector.subscriptions import Subscriber, open_interval, subscribe
from tests.reflector.town import KEY, NAMES, Town

EVE, TOKEN = "eve@pen.test", "t" * 24
SUB = "bob+sub.2"
POST = b"Heliograph-Source: bob\r\nHeliograph-Post: %d\r\nSubject: a post\r\n\r\ntext\r\n"


def branch(town: Town, state: str = "serving", backlog: int = 0) -> House:
    create_source(town.tx, SUB, "bob", "Bob", backlog, town.now)
    write_node(town.tx, Node(SUB, state=state, epoch=5, folded=6 if state == FOLDING else 0))
    return House("host-1", town.directory, KEY, town.settings)


def keep(town: Town) -> None:
    source = find_source(town.tx, SUB)
    assert source is not None
    keep_recent(town.tx, source, 1, POST % 1)
    assert town.bodies() == 1


def come_late(town: Town, house: House) -> None:
    arrival = Arrival("x@pen.test", POST % 2, 0, "e", "host-1", town.now, town.now)
    relay_post(house, town.tx, arrival, SUB)


def test_a_way_out_is_found_beside_a_list_that_went_to_another_host() -> None:
    town = Town()
    create_source(town.tx, "bob+sub.1", "bob", "Bob", 0, town.now)
    town.tx.execute("INSERT INTO away VALUES ('bob+sub.1')")
    branch(town)
    subscribe(town.tx, SUB, Subscriber(EVE), 1, 5, TOKEN, "INBOX")
    town.write(NAMES.reflector("bob", f"leave.{TOKEN}"), by=EVE)
    assert open_interval(town.tx, SUB, EVE) is None


def test_a_row_of_a_list_that_went_away_is_not_taken_for_one_here() -> None:
    town = Town()
    branch(town)
    create_source(town.tx, "bob+sub.1", "bob", "Bob", 0, town.now)
    for list_ in ("bob+sub.1", SUB):
        subscribe(town.tx, list_, Subscriber(EVE), 1, 5, TOKEN, "INBOX")
    town.tx.execute("INSERT INTO away VALUES ('bob+sub.1')")
    town.write(NAMES.reflector("bob", f"leave.{TOKEN}"), by=EVE)
    assert open_interval(town.tx, SUB, EVE) is None


def test_a_dissolved_list_keeps_no_posts() -> None:
    town = Town()
    house = branch(town, backlog=3)
    keep(town)
    dissolve(house, town.tx, Dissolve("bob", 5, 2, 1, 2), town.now)
    assert town.bodies() == 0
    come_late(town, house)
    assert town.bodies() == 0


def test_a_list_that_was_taken_back_keeps_no_posts() -> None:
    town = Town()
    house = branch(town, FOLDING, backlog=3)
    keep(town)
    let_go(town.tx, Released("bob", 6, 0, 2), town.now)
    assert town.bodies() == 1  # it goes on
    write_node(town.tx, Node(SUB, state=FOLDING, epoch=5, folded=6))
    let_go(town.tx, Released("bob", 6, 2, 2), town.now)
    assert town.bodies() == 0
    come_late(town, house)
    assert town.bodies() == 0

"""Who left is forgotten: at a root as below it, on a quiet host too, in slices; and no old word brings her back."""

from __future__ import annotations

import sqlite3

import pytest

from mail.control import CreateSource, RemoveSource
from reflector import MIGRATIONS, extras, forgetting, subscriptions
from reflector.settings import DAY_SECONDS
from reflector.subscriptions import FOREIGN, Subscriber, open_interval, subscribe, unsubscribe
from reflector.tables import LEFT, OPEN
from store.bodies import MIGRATION as BODIES
from tests.reflector.town import NAMES, Town

EVE = "eve@pen.test"
BOB = NAMES.reflector("bob")


def rows(town: Town) -> list[str]:
    return [address for (address,) in town.tx.all("SELECT address FROM subscriber ORDER BY id")]


def rest(town: Town, days: float = 0) -> int:
    """Time goes by, and the list does what is due; return how many steps it took."""
    town.now += days * DAY_SECONDS
    steps = 0
    while town.room.is_due(town.tx, town.now):
        town.room.work(town.tx, town.now)
        steps += 1
        assert steps < 50, "it is never done"
    return steps


def follow_and_leave(town: Town) -> None:
    town.tx.execute("UPDATE source SET generation = 5")
    subscribe(town.tx, "bob", Subscriber(EVE), 1, 5, "t" * 24, "INBOX")
    town.write(NAMES.reflector("bob", "unsubscribe"), by=EVE)
    town.confirm(EVE)
    assert open_interval(town.tx, "bob", EVE) is None
    rest(town, 0.001)


def test_who_left_a_root_is_forgotten_after_the_ways_out(town: Town) -> None:
    follow_and_leave(town)
    rest(town, 59)
    assert rows(town) == [EVE]
    assert rest(town, 2) > 0 and rows(town) == []


def test_who_followed_a_source_that_is_gone_is_forgotten(town: Town) -> None:
    subscribe(town.tx, "bob", Subscriber(EVE), 1, 5, "t" * 24, "INBOX")
    town.control("bob", RemoveSource("bob"))
    rest(town, 59)
    assert rows(town) == [EVE]
    assert rest(town, 2) > 0 and rows(town) == []


def test_a_long_list_goes_in_slices(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        subscribe(town.tx, "bob", Subscriber(f"p{number}@pen.test"), 1, 5, f"t{number}", "INBOX")
    town.control("bob", RemoveSource("bob"))
    monkeypatch.setattr(forgetting, "ROWS_AT_ONCE", 3)
    rest(town, 1)
    assert rest(town, 60) == 3 and rows(town) == []


def test_a_list_on_its_way_keeps_what_is_compared_at_both_ends(town: Town) -> None:
    follow_and_leave(town)
    town.tx.execute("INSERT INTO away VALUES ('bob')")
    assert rest(town, 61) == 0 and rows(town) == [EVE]


def test_an_old_word_of_a_lost_host_brings_nobody_back_who_left_long_ago(town: Town) -> None:
    before = [EVE, FOREIGN, 1, OPEN, 5, "t" * 24, "INBOX"]
    follow_and_leave(town)
    rest(town, 61)
    newest = town.tx.one("SELECT generation, forgotten FROM source WHERE name = 'bob'")
    assert newest is not None and newest[1] == newest[0]
    later = ["new@pen.test", FOREIGN, 1, OPEN, newest[0] + 1, "u" * 24, "INBOX"]
    extras.merge(town.tx, {"part": "subscribers", "name": "bob", "rows": [before, later]}, town.now)
    assert rows(town) == ["new@pen.test"]


def test_who_follows_again_later_has_a_higher_generation(town: Town) -> None:
    follow_and_leave(town)
    highest = town.tx.one("SELECT generation FROM source")
    rest(town, 61)
    town.control("bob", RemoveSource("bob"), CreateSource("bob", "bob", "Bob again"))
    town.write(NAMES.reflector("bob", "subscribe"), by=EVE)
    town.confirm(EVE)
    interval = open_interval(town.tx, "bob", EVE)
    assert interval is not None and highest is not None and interval.generation > highest[0]


def test_rows_that_were_closed_before_moments_were_noted_go_too() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for step in (BODIES, *(step for step in MIGRATIONS if step is not LEFT)):
        connection.executescript(step.sql)
    closed, follows = ("eve@pen.test", 3), ("carol@pen.test", OPEN)
    for address, until in (closed, follows):
        sql = "INSERT INTO subscriber (source, address, kind, hash, from_post, until_post, generation, token, folder)"
        connection.execute(f"{sql} VALUES ('bob', ?, 'foreign', 1, 1, ?, 1, '', '')", (address, until))
    connection.executescript(LEFT.sql)
    found = dict(connection.execute("SELECT address, closed FROM subscriber").fetchall())
    assert found["carol@pen.test"] == 0.0 and found["eve@pen.test"] > 1_700_000_000.0


@pytest.mark.parametrize(
    "table", ["subscriber", "told", "relayed", "branch", "part", "posted", "asked", "confirmation"]
)
def test_what_is_old_is_found_without_a_look_at_the_rest(town: Town, table: str) -> None:
    asked: list[str] = []

    class Asked:
        def one(self, sql: str, values: tuple[float]) -> None:
            asked.append(sql)

    forgetting.is_over(Asked(), town.settings, town.now)  # type: ignore[arg-type]
    (sql,) = [sql for sql in asked if f"FROM {table} " in sql]
    plan = town.tx.all(f"EXPLAIN QUERY PLAN {sql}", (town.now,))
    assert plan[0][3].startswith(f"SEARCH {table} USING"), plan


def test_whom_a_stranger_named_is_forgotten_though_nobody_writes_any_more(town: Town) -> None:
    town.write(NAMES.reflector("bob", "subscribe"), by=EVE)
    town.write(BOB, by="bob", text="a post")

    def held() -> list[int]:
        return [len(town.tx.all(f"SELECT 1 FROM {table}")) for table in ("asked", "confirmation", "posted")]

    assert held() == [1, 1, 2]
    rest(town, 3)
    assert held() == [0, 1, 2]  # a late answer hears why
    rest(town, 2)
    assert held() == [0, 0, 2]
    rest(town, 10)
    assert held() == [0, 0, 0]


def test_the_way_out_of_an_older_post_still_leads_out_after_coming_back(town: Town) -> None:
    """She left, came back, and clicks in what she got before."""
    follow_and_leave(town)
    town.now += DAY_SECONDS
    town.write(NAMES.reflector("bob", "subscribe"), by=EVE)
    town.confirm(EVE)
    assert open_interval(town.tx, "bob", EVE) is not None
    town.write(NAMES.reflector("bob", f"leave.{'t' * 24}"), by=EVE)
    assert open_interval(town.tx, "bob", EVE) is None


def test_who_comes_and_goes_all_the_time_leaves_so_many_rows_and_no_more(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "WAYS_OUT_MAX", 3)
    for number in range(9):
        subscribe(town.tx, "bob", Subscriber(EVE), 1, 2 * number, f"t{number}", "INBOX")
        unsubscribe(town.tx, "bob", EVE, 1, 2 * number + 1, town.now)
        subscribe(town.tx, "bob", Subscriber(NAMES.person("carol"), "carol"), 1, 2 * number, "", "INBOX")
        unsubscribe(town.tx, "bob", NAMES.person("carol"), 1, 2 * number + 1, town.now)
    tokens = town.tx.all("SELECT token FROM subscriber ORDER BY id")
    assert tokens == [("t5",), ("t6",), ("t7",), ("t8",), ("",)]


def test_another_hosts_key_is_forgotten_with_the_last_question_that_it_opens(town: Town) -> None:
    town.write(NAMES.reflector("bob", "subscribe"), by=EVE)
    town.tx.execute("INSERT INTO former_key VALUES ('bob', x'01'), ('gone', x'02')")
    town.tx.execute("INSERT INTO away VALUES ('gone')")
    rest(town, 3)
    assert len(town.tx.all("SELECT 1 FROM former_key")) == 2
    rest(town, 2)
    assert town.tx.all("SELECT source FROM former_key") == [("gone",)]  # it is on its way, with its questions

"""Lists read out of one host and put into another: all tables, and nothing works that is not here."""

from __future__ import annotations

from pathlib import Path

import pytest

from reflector import carrying
from reflector.nodes import look_at
from reflector.settings import Settings
from reflector.sources import create_source, find_source, keep_recent
from reflector.subscriptions import Subscriber, subscribe
from reflector.tables import MIGRATIONS
from reflector.work import is_due
from store import Bodies, Store, Transaction
from store.bodies import MIGRATION as STORE_MIGRATION


@pytest.fixture
def hosts(tmp_path: Path):  # type: ignore[no-untyped-def]
    both = [Store(tmp_path / f"{name}.db", [STORE_MIGRATION, *MIGRATIONS]) for name in "ab"]
    yield both
    for host in both:
        host.close()


def carry(a: Store, b: Store, told: carrying.Told, list_: str = "bob") -> None:
    layout = carrying.layout(a.reader)
    for part in carrying.parts(layout, a.reader, list_, told):
        contents = [
            Bodies.read(a.reader, body) for body in Bodies.by_digest(a.reader, carrying.bodies_of(part)).values()
        ]

        def work(tx: Transaction, part=part, contents=contents) -> None:  # type: ignore[no-untyped-def]
            held = [Bodies.keep(tx, content) for content in contents]
            carrying.put(layout, tx, part)
            for body in held:
                Bodies.release(tx, body)

        b.write_now(work)


def fill(tx: Transaction) -> None:
    create_source(tx, "bob", "bob", "Bob", 3, 1.0)
    for at in range(1_200):
        subscribe(tx, "bob", Subscriber(f"p{at}@pen.test"), 1, at, f"t{at}", "INBOX")
    source = find_source(tx, "bob")
    assert source is not None
    keep_recent(tx, source, 1, b"Subject: a post\r\n\r\n")
    look_at(tx, "bob", 1.0)


def test_every_table_is_carried(hosts: list[Store]) -> None:
    """A new one has to be named in carrying.py, or it stays behind."""
    tables = {name for (name,) in hosts[0].reader.all("SELECT name FROM sqlite_master WHERE type = 'table'")}
    others = {"away", "migration", "body", "body_content", "event", "sqlite_sequence"}
    assert tables - others == set(carrying.LISTS)


def test_a_list_is_the_same_there_and_waits_until_it_is_here(hosts: list[Store]) -> None:
    a, b = hosts
    a.write_now(fill)
    told: carrying.Told = {}
    carry(a, b, told)
    a.write_now(lambda tx: subscribe(tx, "bob", Subscriber("late@pen.test"), 2, 1, "t", "INBOX"))
    carry(a, b, told)
    layout = carrying.layout(a.reader)
    assert carrying.digest(layout, a.reader, "bob") == carrying.digest(layout, b.reader, "bob") != ""
    assert not is_due(b.reader, Settings(), 2.0) and find_source(b.reader, "bob") is None
    b.write_now(lambda tx: carrying.arrive(tx, ["bob"], "host-1", 2.0))
    a.write_now(lambda tx: carrying.leave(tx, ["bob"], b"k" * 16))
    assert is_due(b.reader, Settings(), 2.0) and find_source(b.reader, "bob") is not None
    assert not is_due(a.reader, Settings(), 2.0) and find_source(a.reader, "bob") is None


def test_what_a_broken_stream_brought_and_is_gone_by_now_does_not_stay(hosts: list[Store]) -> None:
    a, b = hosts
    a.write_now(fill)
    carry(a, b, {})
    for table in ("look", "subscriber", "recent_post"):
        a.write_now(lambda tx, table=table: carrying._clear(tx, table, "bob"))
    carry(a, b, {})
    layout = carrying.layout(a.reader)
    assert carrying.digest(layout, a.reader, "bob") == carrying.digest(layout, b.reader, "bob") != ""


def test_a_list_that_goes_is_taken_out_whole(hosts: list[Store]) -> None:
    a, b = hosts
    a.write_now(fill)
    carry(a, b, {})
    while not b.write_now(lambda tx: carrying.forget(tx, "bob", 500)):
        pass
    assert [b.reader.one(f"SELECT count(*) FROM {table}") for table in (*carrying.LISTS, "away", "body")] == [(0,)] * (
        len(carrying.LISTS) + 2
    )

"""Feeds packed at one host and unpacked at another: the same rows, under other ids."""

from __future__ import annotations

from pathlib import Path

from ingest import carrying, newsletters, requests
from ingest.feeds import by_source, create, due
from ingest.mailboxes import rows
from ingest.mailboxes.place import place_of
from ingest.mailboxes.vault import Vault
from ingest.tables import MIGRATIONS
from mail.control import FollowFeed
from store import Store
from store.bodies import MIGRATION as STORE_MIGRATION

ELSEWHERE = {"migration", "body", "body_content", "event", "sqlite_sequence", "packed"}
STAYS = {"heard", "resting", "newsletter"}  # a host's own limits; an address is its account's


def hashed(name: str) -> int:
    return len(name)


def test_a_feed_goes_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    a, b = (Store(tmp_path / f"{name}.db", [STORE_MIGRATION, *MIGRATIONS]) for name in "ab")
    b.write_now(lambda tx: create(tx, url="https://x/", domain="x", bucket=1, source="other", title="", now=1.0))
    feed = a.write_now(lambda tx: create(tx, url="https://n/", domain="n", bucket=7, source="news", title="N", now=1.0))
    a.write_now(lambda tx: tx.execute("INSERT INTO feed_seen VALUES (?, x'00ff')", (feed,)).rowcount)
    a.write_now(lambda tx: tx.execute("INSERT INTO former_url VALUES ('https://old/', ?)", (feed,)).rowcount)
    a.write_now(lambda tx: tx.execute("INSERT INTO application VALUES ('robo', 'bob', '', 1, 1, x'01')").rowcount)
    assert carrying.units(a.reader, hashed, frozenset({7, 4})) == ["app/robo", "feed/7/news"]
    a.write_now(lambda tx: carrying.leave(tx, ["feed/7/news", "app/robo"]))
    assert due(a.reader, 9.0, 9) == [] and by_source(a.reader, "news") is None
    for unit in carrying.units(a.reader, hashed, frozenset({7, 4})):
        for part in carrying.parts(a.reader, unit, {}):
            b.write_now(lambda tx, part=part: carrying.put(tx, part))
        assert carrying.digest(a.reader, unit) == carrying.digest(b.reader, unit) != ""
    assert by_source(b.reader, "news") is None
    b.write_now(lambda tx: carrying.arrive(tx, ["feed/7/news", "app/robo"]))
    found = by_source(b.reader, "news")
    assert found is not None and (found.bucket, found.title) == (7, "N") and found.id == 2
    assert b.reader.all("SELECT * FROM feed_seen") == [(2, b"\x00\xff")]
    assert b.reader.all("SELECT * FROM former_url") == [("https://old/", 2)]
    assert b.reader.one("SELECT token FROM application") == (b"\x01",)
    a.close()
    b.close()


def test_of_each_kind_it_is_known_whether_it_is_at_work_here(tmp_path: Path) -> None:
    """A host that was lost asks its heir so, before it gives anything back."""
    store = Store(tmp_path / "host.db", [STORE_MIGRATION, *MIGRATIONS])
    there = place_of("imaps://alice@far.example/Lists")
    issues = newsletters.new("t", "alice", "Issues", "", 1.0)
    kept = FollowFeed("https://x.example/", "alice@fabric.test", "INBOX", True)
    for work in (
        lambda tx: create(tx, url="https://n/", domain="n", bucket=7, source="news", title="N", now=1.0),
        lambda tx: requests.take(tx, kept, bucket=7, direct=False, asked_by="", now=1.0),
        lambda tx: tx.execute("INSERT INTO application VALUES ('robo', 'bob', '', 1, 1, x'01')").rowcount,
        lambda tx: rows.add(tx, "lists", "alice", "Lists", there, b"", 1.0),
        lambda tx: newsletters.add(tx, issues),
    ):
        store.write_now(work)
    units = carrying.units(store.reader, lambda name: 7, frozenset({7})) + carrying.news_units(store.reader, bool)
    assert {unit.partition("/")[0] + "/" for unit in units} == {*carrying.PARTS, carrying.NEWS}
    assert all(carrying.is_here(store.reader, unit) for unit in units)
    store.write_now(lambda tx: carrying.leave(tx, units))
    assert not any(carrying.is_here(store.reader, unit) for unit in units)
    store.close()


def test_every_table_is_carried_or_stays_for_a_reason(tmp_path: Path) -> None:
    store = Store(tmp_path / "host.db", [STORE_MIGRATION, *MIGRATIONS])
    tables = {name for (name,) in store.reader.all("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables - ELSEWHERE - STAYS == set(carrying.layout(store.reader))
    store.close()


def test_a_mailbox_goes_with_its_password_sealed_at_both_ends(tmp_path: Path) -> None:
    a, b = (Store(tmp_path / f"{name}.db", [STORE_MIGRATION, *MIGRATIONS]) for name in "ab")
    there, keys = place_of("imaps://alice@far.example/Lists"), {a: Vault(bytes(32)), b: Vault(bytes([1] * 32))}
    secret = keys[a].seal(b"open sesame", "lists")
    a.write_now(lambda tx: rows.add(tx, "lists", "alice", "Lists", there, secret, 1.0))
    a.write_now(lambda tx: (rows.begin(tx, "lists", 7, 42), rows.is_new(tx, "lists", b"\1", 2.0))[1])
    (unit,) = carrying.units(a.reader, hashed, frozenset({5}))
    a.write_now(lambda tx: carrying.leave(tx, [unit]))
    assert rows.looked_into(a.reader, 9) == [] and a.reader.all("SELECT * FROM far_message") == []
    for part in carrying.parts(a.reader, unit, {}, keys[a]):
        b.write_now(lambda tx, part=part: carrying.put(tx, part, keys[b]))
    for store in (a, b):
        (packed,) = store.reader.all("SELECT content FROM packed")
        assert b"open sesame".hex() not in packed[0]
    assert carrying.digest(a.reader, unit, keys[a]) == carrying.digest(b.reader, unit, keys[b]) != ""
    b.write_now(lambda tx: carrying.arrive(tx, [unit]))
    found = rows.find(b.reader, "lists")
    assert found and (found.validity, found.next_uid, found.place) == (7, 42, there)
    assert keys[b].opened(found.secret, "lists") == b"open sesame" and keys[a].opened(found.secret, "lists") is None
    assert b.reader.all("SELECT source, key FROM far_message") == [("lists", b"\1")]
    a.close()
    b.close()

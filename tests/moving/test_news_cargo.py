"""A newsletter's address goes where its owner's timeline goes, and takes mail there."""

from __future__ import annotations

from pathlib import Path

from heliograph.moving.cargo import Timelines, Wanted
from heliograph.tables import MIGRATIONS
from ingest import newsletters
from mailbox_host import accounts
from store import Store

NOW = 1_700_000_000.0


def test_addresses_go_with_the_timeline_of_their_owner(tmp_path: Path) -> None:
    here, there = Store(tmp_path / "1.db", MIGRATIONS), Store(tmp_path / "2.db", MIGRATIONS)
    wanted = Wanted(frozenset({1}), lambda name: 1 if name == "alice" else 2)

    def begin(tx):  # type: ignore[no-untyped-def]
        accounts.add_many(tx, [("alice", None), ("bob", None)], NOW)
        for name in ("alice", "bob"):
            newsletters.add(tx, newsletters.new(f"{name:a<24}"[:24], name, "Weekly", "", NOW))

    here.write_now(begin)
    giver, taker = Timelines(here.reader), Timelines(there.reader)
    assert giver.layout() == taker.layout() and "newsletter" in giver.layout()
    units = giver.units(here.reader, wanted)
    assert units == ["alice", "news/alice"] and {giver.bucket_of(unit, wanted.hashed) for unit in units} == {1}
    here.write_now(lambda tx: giver.leave(tx, units, "host-2"))
    parts = [part for unit in units for part in giver.parts(here.reader, unit, giver.told())]
    there.write_now(lambda tx: [taker.put(tx, part) for part in parts])
    assert [giver.digest(here.reader, unit) for unit in units] == [taker.digest(there.reader, unit) for unit in units]
    there.write_now(lambda tx: taker.arrive(tx, units, "host-1", NOW))
    here.write_now(lambda tx: [giver.forget(tx, unit, 1_000) for unit in units])
    assert [row.name for row in newsletters.of_account(there.reader, "alice")] == ["Weekly"]
    assert not newsletters.of_account(here.reader, "alice") and newsletters.of_account(here.reader, "bob")
    for store in (here, there):
        store.close()

"""Letting go of what is not this host's: copies of buckets, and bodies that came ahead.

Law: a slice at a time, for the writer is everybody's; a crash between two leaves less to do.
"""

from __future__ import annotations

from heliograph.holding import OWNER
from heliograph.moving.frames import Broken
from heliograph.moving.parties import Party, by_map
from heliograph.ownership import Key, find
from store import Bodies, Transaction

SLICE_MAX = 500  # rows that go in one transaction


async def clear(party: Party, keys: list[Key]) -> None:
    """Let go of all that is here of buckets which are not this host's."""
    for which, buckets in by_map(keys).items():
        if any((one := find(party.store.reader, which, bucket)) and one.state == OWNER for bucket in buckets):
            raise Broken(f"this host owns what it was to clear: {which} {buckets}")
        for name in party.cargo[which].units(party.store.reader, party.in_buckets(buckets)):
            await forget(party, which, name)


async def forget(party: Party, which: str, name: str) -> None:
    """Let go of one unit."""
    cargo = party.cargo[which]
    while not await party.store.write(lambda tx: cargo.forget(tx, name, SLICE_MAX)):
        pass


async def release(party: Party, peer: str) -> None:
    """Let go of the bodies that came ahead of their rows, a slice at a time."""

    def work(tx: Transaction) -> int:
        rows = tx.all("SELECT body FROM carried WHERE peer = ? LIMIT ?", (peer, SLICE_MAX))
        for (body,) in rows:
            tx.execute("DELETE FROM carried WHERE peer = ? AND body = ?", (peer, body))
            Bodies.release(tx, body)
        return len(rows)

    more = SLICE_MAX
    while more == SLICE_MAX:
        more = await party.store.write(work)

"""Letting go of what is not this host's: copies of buckets, and bodies that came ahead.

Law: a slice at a time, for the writer is everybody's; a crash between two leaves less to do. Each slice
looks whether the bucket is what it was at the beginning: what has come meanwhile is let alone.
"""

from __future__ import annotations

from functools import partial

from heliograph.moving.frames import Broken
from heliograph.moving.parties import Party, by_map
from heliograph.ownership.holding import GIVEN_UP, OWNER, Holding
from heliograph.ownership.ownership import Key, find
from store import Bodies, Transaction

SLICE_MAX = 500  # rows that go in one transaction


async def clear(party: Party, keys: list[Key]) -> None:
    """Let go of all that is here of buckets which are not this host's."""
    for which, buckets in by_map(keys).items():
        held = {bucket: find(party.store.reader, which, bucket) for bucket in buckets}
        if any(one and one.state in (OWNER, *GIVEN_UP) for one in held.values()):
            raise Broken(f"this host owns what it was to clear, or alone has it: {which} {buckets}")
        for name in party.cargo[which].units(party.store.reader, party.in_buckets(buckets)):
            await _forget(party, which, name, held[_bucket(party, which, name)])


async def forget(party: Party, which: str, name: str) -> None:
    """Let go of one unit."""
    await _forget(party, which, name, find(party.store.reader, which, _bucket(party, which, name)))


async def _forget(party: Party, which: str, name: str, held: Holding | None) -> None:
    while not await party.store.write(partial(_slice, party, which, name, held)):
        pass


def _slice(party: Party, which: str, name: str, held: Holding | None, tx: Transaction) -> bool:
    bucket = _bucket(party, which, name)
    if find(tx, which, bucket) != held:
        raise Broken(f"b{bucket}.{which} is not what it was: nothing more of it is let go of")
    return party.cargo[which].forget(tx, name, SLICE_MAX)


def _bucket(party: Party, which: str, name: str) -> int:
    return party.cargo[which].bucket_of(name, party.names.bucket)


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

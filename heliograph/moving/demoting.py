"""Ceasing to be an owner at the word of others: the zone says that this host is lost, or another host owns already.

Law: in one transaction, after which nothing is filed or changed here; nothing is let go of by it.
"""

from __future__ import annotations

from heliograph.moving.clearing import clear
from heliograph.moving.parties import Party, by_map
from heliograph.ownership.holding import ACQUIRING, Holding, demote
from heliograph.ownership.ownership import Key, find
from store import Reader, Transaction, events


async def demote_all(party: Party, held: list[Holding], heir: str) -> int:
    """Own none of these any more; return how many were owned, or not yet handed over."""
    return await party.store.write(lambda tx: demote_now(party, tx, held, heir))


def demote_now(party: Party, tx: Transaction, held: list[Holding], heir: str) -> int:
    now, serial = party.clock(), party.zone().serial
    there = [mine for one in held if (mine := find(tx, one.map, one.bucket))]
    demoted = [after for mine in there if (after := demote(mine, heir, serial, now))]
    if not demoted:
        return 0
    gone: frozenset[str] = frozenset()
    for which, buckets in by_map((one.map, one.bucket) for one in demoted).items():
        units = party.cargo[which].units(tx, party.in_buckets(buckets))
        party.cargo[which].leave(tx, units, heir)
        gone |= frozenset(units) if which == "timeline" else frozenset()
    party.ownership.put(tx, *demoted)
    events.append(tx, now, "demoted", buckets=len(demoted), heir=heir)
    tx.after_commit(lambda: party.turn_out(gone))
    return len(demoted)


async def forget_coming(party: Party, lost: str) -> None:
    """Nothing comes from a lost host any more: a grant that it made before is no one's word now. The tables say what
    comes: the loop may not know yet of a commit that waits for the standby."""

    def work(tx: Transaction) -> list[Key]:
        keys = _coming(tx, lost)
        party.ownership.drop(tx, *(one for key in keys if (one := find(tx, *key))))
        return keys

    if _coming(party.store.reader, lost):
        await clear(party, await party.store.write(work))


def _coming(source: Reader | Transaction, peer: str) -> list[Key]:
    return [
        (which, bucket)
        for which, bucket in source.all(
            "SELECT map, bucket FROM holding WHERE state = ? AND peer = ?", (ACQUIRING, peer)
        )
    ]

"""What the giver offers, and what it does if the other host says that it owns the bucket too.

Law: it gives way by itself only where nothing of the bucket is here. Otherwise both go on as they were, and the
operator is told (`status`).
"""

from __future__ import annotations

from collections.abc import Sequence

from heliograph.moving import frames
from heliograph.moving.frames import Word, packed
from heliograph.moving.parties import Party
from heliograph.ownership.holding import GIVEN_UP, Holding, give_way
from heliograph.ownership.ownership import find
from store import Transaction


def offer(party: Party, held: Sequence[Holding], peer: str) -> Word:
    """Offer these buckets to a host."""
    offers = [
        [one.map, one.bucket, one.epoch - 1, _serial(party, one, peer), one.state]
        if one.state in GIVEN_UP
        else [one.map, one.bucket, one.epoch, party.view(one.map, one.bucket).serial, ""]
        for one in held
    ]
    layouts = {which: cargo.layout() for which, cargo in party.cargo.items()}
    return packed("offer", {"version": frames.VERSION, "layouts": layouts, "buckets": offers})


def _serial(party: Party, one: Holding, peer: str) -> int:
    """What is offered to another than it was sealed for needs a zone that says that the other one is lost."""
    return one.serial if one.peer == peer else party.view(one.map, one.bucket).serial


async def yield_bare(party: Party, one: Holding, peer: str, epoch: int) -> str:
    """The other host owns it too: if nothing of it is here, this host does not own it any more. Return why that is not
    enough."""
    key = (one.map, one.bucket)

    def work(tx: Transaction) -> bool:
        mine = find(tx, *key)
        after = give_way(mine, peer, epoch, party.clock()) if mine else None
        if after is None or party.cargo[one.map].units(tx, party.in_buckets([one.bucket])):
            return False
        party.ownership.put(tx, after)
        return True

    if await party.store.write(work):
        return ""
    party.ownership.doubles[key] = peer
    return f"{peer} owns b{one.bucket}.{one.map} too, with epoch {epoch}: see `status`"

"""What an heir knows of a lost host's buckets besides: those that it gave it itself, and those that others had from it.

Law: by the replica a bucket came to the lost host or it did not. What did is inherited like the rest; what did not, its
giver has still, and owns again, with numbers skipped, for the lost host may have had it unheard. What the lost host
gave away is remembered with its epoch, so that no older copy passes for it.
"""

from __future__ import annotations

from heliograph.moving import remains
from heliograph.moving.parties import Party, by_map
from heliograph.ownership.holding import SEALED, TOMBSTONE, Holding, bury, has_come, reclaim
from heliograph.ownership.ownership import find
from heliograph.standby.estate import Estate
from store import Transaction, events


def reclaim_all(party: Party, estate: Estate, lost: str, tx: Transaction) -> None:
    """Once more does no harm."""
    now = party.clock()
    gave = [mine for one in _given(party, lost) if (mine := find(tx, one.map, one.bucket))]
    theirs = estate.party.ownership.holding
    came = [one for one in gave if has_come(one, theirs(one.map, one.bucket))]
    buried = [after for one in came if (after := bury(one, one.epoch, now))]
    views = {(one.map, one.bucket): party.view(one.map, one.bucket) for one in gave}
    rest = [one for one in gave if one not in came]
    again = [after for one in rest if (after := reclaim(party.host, one, views[one.map, one.bucket], now))]
    for which, buckets in by_map((one.map, one.bucket) for one in again).items():
        units = party.cargo[which].units(tx, party.in_buckets(buckets))
        remains.skip(tx, which, units, lost)
        party.cargo[which].arrive(tx, units, "", now)
    known = [one for one in estate.given_away() if _is_news(find(tx, one.map, one.bucket), one)]
    party.ownership.put(tx, *buried, *again, *known)
    if again:
        party.hurry(tx)
        events.append(tx, now, "reclaimed", buckets=len(again), host=lost)


def _given(party: Party, lost: str) -> list[Holding]:
    return [one for one in party.ownership.held() if one.peer == lost and one.state in (SEALED, TOMBSTONE)]


def _is_news(mine: Holding | None, theirs: Holding) -> bool:
    return mine is None or (mine.state == TOMBSTONE and mine.epoch < theirs.epoch and not mine.kept)

"""What the command asks a running host about its buckets.

Law: it shows, and lets go of copies; where buckets go, the zone says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from heliograph.moving.demoting import demote_all
from heliograph.moving.mover import Mover
from heliograph.moving.progress import Progress
from heliograph.ownership.holding import OWNER, TOMBSTONE, is_to_go
from heliograph.site import Act, Answer


def move_acts(mover: Mover) -> Mapping[str, Act]:
    """``bucket state``: what is not simply this host's; ``bucket forget``: let go of copies now; ``bucket yield``: what
    another host owns too is its own."""
    party = mover.party

    async def state() -> Answer:
        held = party.ownership.held()
        going = [one for one in held if is_to_go(party.host, one, party.view(one.map, one.bucket))]
        shown = [
            {"map": one.map, "bucket": one.bucket, "state": one.state, "epoch": one.epoch, "peer": one.peer,
             "since": one.since, "kept": one.kept}
            for one in held if one.state != OWNER
        ]  # fmt: skip
        asked = [{"map": one.map, "bucket": one.bucket, "to": party.view(one.map, one.bucket).named} for one in going]
        return {
            "serial": party.zone().serial,
            "buckets": shown,
            "going": asked,
            "moves": moves_under_way(mover),
        }

    async def forget(maps: list[str], first: int, last: int) -> Answer:
        found = [
            one for one in party.ownership.held()
            if one.map in maps and first <= one.bucket <= last and one.state == TOMBSTONE and one.kept
        ]  # fmt: skip
        await mover.forget(found)
        return {"forgotten": [f"b{one.bucket}.{one.map}" for one in found]}

    async def give_way(maps: list[str], first: int, last: int) -> Answer:
        doubles = party.ownership.doubles
        found = [key for key in sorted(doubles) if key[0] in maps and first <= key[1] <= last]
        for which, bucket in found:
            mine = [one for one in party.ownership.held() if (one.map, one.bucket) == (which, bucket)]
            await demote_all(party, mine, doubles[which, bucket])
        mover.wake()
        return {"yielded": [f"b{bucket}.{which}" for which, bucket in found]}

    return {"bucket state": state, "bucket forget": forget, "bucket yield": give_way}


def moves_under_way(mover: Mover) -> list[Answer]:
    """One for each host that buckets go to."""
    if not mover.progress:
        return []
    left = Counter(map(mover.goes_to, mover.party.ownership.held()))
    return [_shown(mover, one, left[one.peer]) for one in mover.progress.values()]


def _shown(mover: Mover, progress: Progress, left: int) -> Answer:
    """`buckets`: those of the group that goes now, with `done` of its `units` (accounts, lists); `handed` and `left`:
    of all buckets that go to that host; `eta`: seconds, by the pace so far, None where nothing can be said."""
    run = mover.runs.get(progress.peer)
    return {
        "to": progress.peer,
        "handed": run.handed if run else 0,
        "left": left,
        "buckets": [f"b{bucket}.{which}" for which, bucket in progress.buckets],
        "phase": progress.phase,
        "units": progress.units,
        "done": progress.done,
        "octets": progress.octets,
        "eta": run.eta(left, mover.party.clock()) if run else None,
        "why": progress.why,
    }

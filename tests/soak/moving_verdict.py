"""What is counted when buckets have moved for long enough: every letter, every host's books, and the pauses.

Law: as in verdict.py, it is counted and not believed; a pause is told without the time of the faults that fell into it.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from heliograph.demo.outside import Mailbox
from tests.soak.fleet import Fleet
from tests.soak.moving_faults import Faults
from tests.soak.moving_traffic import BOXES, MovingTraffic
from tests.soak.traffic import Journal, read_folder, signed_in
from tests.soak.verdict import audit, home, judge

STILL_SECONDS = 600.0
TOLD_MAX = 50


async def verdict(fleet: Fleet, traffic: MovingTraffic, outside: Mailbox, site: Journal) -> list[str]:
    """Wait until all is still, count, end the hosts, and go through their books."""
    await fleet.still(STILL_SECONDS)
    found = await asyncio.to_thread(judge, fleet, traffic.promises, outside)
    found += await asyncio.to_thread(lambda: list(_habits(fleet, traffic)))
    found += list(_owners(fleet))
    found += [f"a host ended with code {code}" for code in await fleet.stop() if code]
    return (found + audit(fleet))[:TOLD_MAX]


def _habits(fleet: Fleet, traffic: MovingTraffic) -> Iterator[str]:
    """A folder has the name that was said OK to, and what was expunged stays away."""
    config, habits = fleet.stage.config, traffic.habits
    for name, box in habits.named.items():
        with signed_in(config.host(home(fleet, name)).address, config.ports.imap, name) as client:
            there = [one for one in BOXES if client.select(one, readonly=True)[0] == "OK"]
        if there != [box]:
            yield f"{name}: the folder {box} is named {there}"
    for name, marks in habits.expunged.items():
        place = config.host(home(fleet, name)).address
        left = {mark for mark, _ in read_folder(place, config.ports.imap, name, "Trash")}
        yield from (f"{name}: {mark} was expunged, and is there" for mark in marks if mark in left)


def _owners(fleet: Fleet) -> Iterator[str]:
    """Every bucket has one owner."""
    sql = "SELECT map, bucket FROM holding WHERE state = 'owner'"
    owned = Counter(key for name in fleet.names for key in fleet.all(name, sql))
    for which in ("timeline", "reflectors"):
        for bucket in range(fleet.stage.config.buckets):
            if owned[which, bucket] != 1:
                yield f"b{bucket}.{which} has {owned[which, bucket]} owners"


def moves_of(fleet: Fleet, faults: Faults) -> dict[str, Any]:
    """The pauses of all moves, without what faults took of them."""
    sql = "SELECT at, detail FROM event WHERE kind = 'moved'"
    moved = [(at, json.loads(str(detail))) for name in fleet.names for at, detail in fleet.all(name, sql)]
    pauses = sorted(faults.outside(float(str(at)) - one["pause"], float(str(at))) for at, one in moved)
    return {
        "pauses": len(pauses),
        "pause_median_s": round(pauses[len(pauses) // 2], 3) if pauses else None,
        "pause_p99_s": round(pauses[min(int(len(pauses) * 0.99), len(pauses) - 1)], 3) if pauses else None,
        "pause_max_s": round(pauses[-1], 3) if pauses else None,
    }

"""A standby holds every page: whatever the owner acknowledged is in the replica, and the replica is the database."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.standby.pair import Pair


async def test_what_was_acknowledged_is_in_the_replica(tmp_path: Path) -> None:
    async with Pair(tmp_path).at_work() as pair:
        await asyncio.gather(*(pair.add(f"{n}") for n in range(200)))
        assert sorted(await pair.held(), key=int) == [f"{n}" for n in range(200)]
        await pair.add("one more")
        assert (await pair.held())[-1] == "one more"
        await pair.same()

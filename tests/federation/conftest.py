from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.federation.pair import NORTH, SOUTH, Fabric, fabrics


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[list[Fabric]]:
    """North, where bob posts; south, of two hosts and another count of buckets, where people follow him."""
    async with fabrics(tmp_path, NORTH, SOUTH) as (north, south):
        await north.add("bob", "carol")
        await south.add("alice", "erin", "heidi", "dan")
        yield [north, south]

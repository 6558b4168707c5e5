from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.federation.pair import NORTH, SOUTH, Fabric, fabrics

WRITERS = ("bob", "carol", "ed", "fay", "gus", "hal", "ina", "jim", "kim", "leo")  # a story has a writer of its own
READERS = ("alice", "erin", "heidi", "dan")


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Fabric]]:
    """North, where people post; south, of two hosts and another count of buckets, where people follow them. Made once:
    keys take their time."""
    async with fabrics(tmp_path_factory.mktemp("federation"), NORTH, SOUTH) as (north, south):
        await north.add(*WRITERS)
        await south.add(*READERS)
        yield [north, south]

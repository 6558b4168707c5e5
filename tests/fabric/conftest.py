from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from heliograph.demo.stage import free_net
from tests.fabric.town import Town, make_fabric


@pytest_asyncio.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """Three hosts at work, with alice, bob, erin and heidi."""
    with free_net() as net:
        here = Town(make_fabric(tmp_path / "fabric", net, outside=net.replace(".0/24", ".50")), net)
        async with here.at_work():
            yield here

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from heliograph.demo.stage import free_net
from tests.fabric.town import Town, make_fabric
from tests.proof.seals import RECORDS
from tests.spool.dns_server import Names


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """Three hosts, and elsewhere.example outside, whose keys are in a zone that they can ask. Made once."""
    with free_net() as net:
        async with Names(RECORDS, failing={"broken._domainkey.elsewhere.example"}) as names:
            config = make_fabric(
                tmp_path_factory.mktemp("proof") / "fabric", net, outside=net.replace(".0/24", ".50"), buckets=64
            )
            front = {"fronts": frozenset({net.replace(".0/24", ".1")}), "front_name": "mx.fabric.test"}
            here = Town(replace(config, smtp=replace(config.smtp, resolver=names.address, **front)), net)
            here.names = names  # type: ignore[attr-defined]
            async with here.at_work():
                yield here

"""A host joins a fabric at work, gets its share, and leaves again; people notice nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from heliograph.command import main
from heliograph.configuration.config import load
from heliograph.demo.stage import free_net
from tests.fabric.town import Town, make_fabric, until

BUCKETS = 64


async def run(town: Town, *words: str) -> Any:
    def work() -> Any:
        done = CliRunner().invoke(main, ["-C", str(town.config.root), *words, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return await asyncio.to_thread(work)


def owned(town: Town, host: str) -> int:
    return sum(town.hosts[host].ownership.counts().values())


async def test_a_host_joins_and_leaves_again(tmp_path: Path) -> None:
    with free_net() as net:
        town = Town(make_fabric(tmp_path / "f", net, buckets=BUCKETS), net)
        async with town.at_work():
            await grow_and_shrink(town)


async def grow_and_shrink(town: Town) -> None:
    await town.person("heidi").send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()
    await run(town, "host", "add", "host-4", "--address", town.address(4), "--here")
    town.config = load(town.config.root)
    await until(lambda: all("host-4" in host.directory.current.hosts for host in town.hosts.values()))
    await town.start("host-4")
    planned = await run(town, "rebalance", "--apply")
    share = sum(planned["after"][which]["host-4"] for which in ("timeline", "reflectors"))
    await until(lambda: owned(town, "host-4") == share, lambda: f"{owned(town, 'host-4')} of {share}", 60)
    for number in (1, 4):  # a client may be set to any host
        await town.person("bob", number).send("bob@reflectors.fabric.test", f"by host {number}")
        await town.still()
    assert [said for _, said in await town.person("heidi", 4).posts()] == ["by host 1", "by host 4"]
    await run(town, "host", "drain", "host-4", "--apply")
    await until(lambda: owned(town, "host-4") == 0, lambda: f"{owned(town, 'host-4')} are left", 60)
    await town.still()
    await run(town, "host", "remove", "host-4", "--wait")
    await town.person("bob", 2).send("bob@reflectors.fabric.test", "after it")
    await town.still()
    assert [said for _, said in await town.person("heidi", 1).posts()] == ["by host 1", "by host 4", "after it"]

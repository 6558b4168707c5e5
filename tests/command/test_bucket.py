"""The commands about buckets, on a fabric that runs in this process."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from heliograph.demo.stage import free_net
from heliograph.holding import OWNER
from tests.fabric.town import Town, make_fabric, until


async def run(root: Path, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "heliograph", "-C", str(root), *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_buckets_are_moved_watched_abandoned_and_forgotten(tmp_path: Path) -> None:
    with free_net() as net:
        config = make_fabric(tmp_path / "fabric", net)
        town = Town(config, net)
        async with town.at_work():
            heidi = config.names.bucket("heidi")  # on host-2
            assert await run(config.root, "bucket", "move", "99999", "host-1") != (0, "")
            code, text = await run(config.root, "bucket", "move", str(heidi), "host-1", "--map", "timeline", "--wait")
            assert code == 0, text
            await until(lambda: town.hosts["host-1"].ownership.state("timeline", heidi) == OWNER)
            line = f"host-2     copy kept  host-1     b{heidi}.timeline\n"
            assert line in (await run(config.root, "bucket", "status"))[1]
            assert await town.person("heidi", 2).subjects() == []
            code, text = await run(config.root, "bucket", "forget", str(heidi))
            assert (code, text) == (0, f"b{heidi}.timeline at host-2\n")
            assert line.replace("copy kept", "gone to  ") in (await run(config.root, "bucket", "status"))[1]
            assert town.hosts["host-2"].store.reader.one("SELECT 1 FROM account WHERE name = 'heidi'") is None

            await town.stop("host-2")  # who is away takes nothing: there is time to think better of it
            alice = config.names.bucket("alice")  # on host-3
            assert (await run(config.root, "bucket", "move", str(alice), "host-2"))[0] == 0
            await until(lambda: town.hosts["host-3"].directory.current.owner("timeline", alice) == "host-2")
            shown = json.loads((await run(config.root, "bucket", "status", "--json"))[1].partition("\n")[2])
            going = next(row for row in shown["hosts"] if row["host"] == "host-3")["going"]
            assert {"map": "timeline", "bucket": alice, "to": "host-2"} in going
            code, text = await run(config.root, "bucket", "abandon", str(alice))
            assert code == 0 and "2 buckets stay" in text
            await until(lambda: town.hosts["host-3"].directory.current.owner("timeline", alice) == "host-3")

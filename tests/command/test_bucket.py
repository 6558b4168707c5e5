"""The commands about buckets, on a fabric that runs in this process."""

from __future__ import annotations

import json
from pathlib import Path

from heliograph.demo.stage import free_net
from heliograph.ownership.holding import OWNER
from tests.command.processes import run
from tests.fabric.town import Town, make_fabric, until


def one_machine(root: Path, host: str) -> Path:
    """The fabric's folder as another machine has it: of this host alone."""
    there = root.with_name("there")
    (there / "hosts").mkdir(parents=True)
    for place in ("heliograph.toml", "tls", "zones", f"hosts/{host}"):
        (there / place).symlink_to(root / place)
    return there


async def test_buckets_are_moved_watched_abandoned_and_forgotten(tmp_path: Path) -> None:
    with free_net() as net:
        config = make_fabric(tmp_path / "fabric", net)
        town = Town(config, net)
        async with town.at_work():
            there = one_machine(config.root, "host-1")  # the primary's: all others are other machines'
            heidi = config.names.bucket("heidi")  # on host-2
            assert await run(config.root, "bucket", "move", "99999", "host-1") != (0, "")
            code, text = await run(there, "bucket", "move", str(heidi), "host-1", "--map", "timeline", "--wait")
            assert code == 0, text
            assert town.hosts["host-1"].ownership.state("timeline", heidi) == OWNER
            line = f"host-2     copy kept  host-1     b{heidi}.timeline\n"
            for root in (config.root, there):
                assert line in (await run(root, "bucket", "status"))[1]
            assert await town.person("heidi", 2).subjects() == []
            code, text = await run(config.root, "bucket", "forget", str(heidi))
            assert (code, text) == (0, f"b{heidi}.timeline at host-2\n")
            assert line.replace("copy kept", "gone to  ") in (await run(config.root, "bucket", "status"))[1]
            assert town.hosts["host-2"].store.reader.one("SELECT 1 FROM account WHERE name = 'heidi'") is None

            await town.stop("host-2")  # who is away takes nothing: there is time to think better of it
            alice = config.names.bucket("alice")  # on host-3
            assert (await run(config.root, "bucket", "move", str(alice), "host-2"))[0] == 0
            await until(lambda: town.hosts["host-3"].directory.current.owner("timeline", alice) == "host-2")
            shown = {
                row["host"]: row for row in json.loads((await run(there, "bucket", "status", "--json"))[1])["hosts"]
            }
            assert {"map": "timeline", "bucket": alice, "to": "host-2"} in shown["host-3"]["going"]
            assert "does not answer" in shown["host-2"]["trouble"]
            code, text = await run(there, "bucket", "abandon", str(alice))
            assert code == 0 and "2 buckets stay" in text
            await until(lambda: town.hosts["host-3"].directory.current.owner("timeline", alice) == "host-3")

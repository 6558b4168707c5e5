"""Commands that change the zone, with BIND, Knot or NSD as its primary: by signed update, or by hand as they say."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from heliograph.command import main
from heliograph.configuration.config import load
from heliograph.configuration.settings import FILE_NAME
from heliograph.demo.stage import free_net
from heliograph.ownership.holding import OWNER
from tests.fabric.town import Town, make_fabric, until
from tests.peers import nameservers
from tests.peers.nameservers import DOMAIN, KEYS_TEXT, KINDS, NameServer, running

pytestmark = pytest.mark.peers
BUCKETS = 32


async def run(town: Town, *words: str) -> tuple[int, Any]:
    def work() -> tuple[int, Any]:
        done = CliRunner().invoke(main, ["-C", str(town.config.root), *words, "--json"])
        return done.exit_code, json.loads(done.stdout)

    return await asyncio.to_thread(work)


async def change(town: Town, server: NameServer, *words: str) -> None:
    """Run a command; where the server takes no updates, do by hand what the command says."""
    code, said = await run(town, *words)
    if server.title != "NSD":
        assert code == 0, said
        return
    text = said["error"]["message"]
    assert code and "edit the zone there" in text, said
    lines = server.zone_file.read_text().splitlines()
    for line in text.splitlines():
        sign, _, record = line.partition(" ")
        if sign == "-":
            lines = [kept for kept in lines if same(kept) != same(record)]
        elif sign == "+":
            lines.append(record)
    serial = re.compile(r"\b1\d{9}\b|\b20\d{8}\b")
    whole = "\n".join(lines) + "\n"
    number = serial.search(whole)
    assert number
    server.zone_file.write_text(whole.replace(number[0], str(int(number[0]) + 1), 1))
    server.say("nsd-control", "-c", str(server.folder / "server.conf"), "reload")


def same(line: str) -> list[str]:
    """A record's words, without TTL and class."""
    words = [word for word in line.split() if word not in ("IN",) and not word.isdigit()]
    return [word.removesuffix(f".{DOMAIN}.").removesuffix(".") for word in words]


def owned(town: Town, host: str) -> int:
    return sum(town.hosts[host].ownership.counts().values())


@pytest.mark.parametrize("kind", KINDS)
async def test_it_is_changed_by_the_commands(kind: str, tmp_path: Path) -> None:
    with free_net() as net:
        config = make_fabric(tmp_path / "fabric", net, buckets=BUCKETS)
        port, here = config.ports.dns, net.replace(".0/24", "")
        server = KINDS[kind](tmp_path / kind, nameservers.free_place(), [(f"{here}.{n}", port) for n in (1, 2, 3)])
        server.folder.mkdir()
        config.zone_file.rename(server.zone_file)
        (config.root / "tsig.keys").touch(0o600)
        (config.root / "tsig.keys").write_text(KEYS_TEXT)
        file = config.root / FILE_NAME
        lines = (
            f'primary = "{server.place[0]}:{server.place[1]}"\nkeys = "tsig.keys"\n'
            'transfer_key = "transfer"\nupdate_keys = ["operator"]\n'
        )
        file.write_text(file.read_text().replace("[dns]\n", f"[dns]\n{lines}"))
        with running(server):
            async with Town(load(config.root), net).at_work() as town:
                await story(town, server)


async def story(town: Town, server: NameServer) -> None:
    heidi = town.config.names.bucket("heidi")
    await town.person("alice").send(f"heidi@{DOMAIN}", "before")
    await town.still()
    to = "host-1" if town.home("heidi") != "host-1" else "host-3"
    await change(town, server, "bucket", "move", str(heidi), to, "--map", "timeline")
    await until(lambda: town.hosts[to].ownership.state("timeline", heidi) == OWNER)
    assert await town.person("heidi", 2).subjects() == ["before"]
    before = owned(town, "host-2")
    await change(town, server, "host", "drain", "host-2", "--apply")
    await until(lambda: owned(town, "host-2") == 0, lambda: f"{owned(town, 'host-2')} of {before} are left", 60)
    await town.person("alice").send(f"heidi@{DOMAIN}", "after")
    await town.still()
    assert await town.person("heidi", 3).subjects() == ["before", "after"]
    if server.title == "NSD":  # whose hosts may transfer stands in its configuration too: that is edited with it
        return
    await change(town, server, "host", "remove", "host-2", "--wait")
    await until(lambda: "host-2" not in town.hosts["host-1"].directory.current.hosts)
    await change(town, server, "host", "add", "host-4", "--address", town.address(4), "--here")
    await until(lambda: "host-4" in town.hosts["host-1"].directory.current.hosts)
    await change(town, server, "rebalance", "--apply")
    await until(lambda: "host-4" in town.hosts["host-1"].directory.current.timeline)

"""A host's disk is lost: what it said 250 to is on another one. Two hosts are each other's standby."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from directory.hosts import with_standby
from heliograph.acts.operations import list_queue
from heliograph.configuration.config import load
from heliograph.configuration.settings import FILE_NAME
from heliograph.demo.stage import free_net
from heliograph.host import Host
from heliograph.standby.sender import Sender
from heliograph.zone.file import draft
from spool.loader import Loader
from store import open_reader
from store.telling import Terms
from tests.fabric.town import OUTSIDE, Town, from_outside, letter, make_fabric, until

ZOE = f"zoe@{OUTSIDE}"
HEIDI = "heidi@fabric.test"  # on host-2
PAIRS = {"host-1": "host-2", "host-2": "host-1"}


def make_required(root: Path, net: str) -> Town:
    config = make_fabric(root, net)
    text = (root / FILE_NAME).read_text()
    (root / FILE_NAME).write_text(text.replace('# mode = "preferred" ', 'mode = "required" '))
    for owner, standby in PAIRS.items():
        draft(config, lambda zone, pair=(owner, standby): with_standby(zone, *pair)).write()
    return Town(load(root), net)


def in_step(host: Host) -> bool:
    state = host.sender.state()
    return state is not None and state.phase == "in step" and not state.behind


async def test_a_250_is_on_both_disks(tmp_path: Path) -> None:
    with free_net() as net:
        town = make_required(tmp_path / "fabric", net)
        assert town.config.standby_mode == "required"
        async with town.at_work():
            await until(lambda: all(in_step(town.hosts[name]) for name in PAIRS))
            [copy] = town.hosts["host-1"].others.standing(town.hosts["host-1"].clients.stand_ins).copies()
            assert copy["of"] == "host-2" and 0 <= time.time() - copy["heard_at"] < 60
            said = await asyncio.gather(*(send(town, 2, f"letter {n}") for n in range(20)))
            assert all(reply.startswith("250") for reply in said), said
            folder = town.config.host_folder("host-2")
            async with town.hosts["host-1"].replicas.lend("host-2") as path:
                shutil.rmtree(folder)  # while it runs: nothing more reaches any disk
                reader = open_reader(path)
                heads = b"".join(row[0] for row in reader.all("SELECT header FROM body_content"))
                assert all(b"Subject: letter %d\r\n" % n in heads for n in range(20))
                assert reader.one("PRAGMA integrity_check") == ("ok",)
                reader.connection.close()
            town.hosts["host-2"].store.shipping.agree(None)  # else its end waits for what it cannot write
            await town.stop("host-2")
            town.hosts["host-1"].store.shipping.agree(Terms(True, 0.2))
            assert (await send(town, 1, "without a standby", "erin@fabric.test")).startswith("451")
            first = town.hosts["host-1"]
            assert "before its standby host-2" in list_queue(first.store.reader, first._site(), 0.0)["stands"]
            assert (await send(town, 3, "host-3 needs none", "alice@fabric.test")).startswith("250")
            assert "host-3 needs none" in str(await town.person("alice", 3).subjects())
            town.hosts["host-1"].store.shipping.agree(None)  # the story is over: let it end in a moment


async def test_who_takes_mail_again_is_sent_what_was_put_off(tmp_path: Path) -> None:
    """Host-2, the standby of host-1, is away for long enough that others try host-1 once an hour."""
    with free_net() as net:
        town = make_required(tmp_path / "fabric", net)
        async with town.at_work():
            first, third = town.hosts["host-1"], town.hosts["host-3"]
            await until(lambda: all(in_step(town.hosts[name]) for name in PAIRS))
            first.store.shipping.agree(Terms(True, 0.2))
            await town.stop("host-2")
            await town.person("alice", 3).send("erin@fabric.test", "put off")
            await until(lambda: [row for row in town.waiting() if row.reply.startswith("451 4.3.1")])
            wait = "UPDATE queue_recipient SET next_attempt = next_attempt + 3600 WHERE state = 1"
            await third.store.write(lambda tx: tx.execute(wait))
            await until(first.sender.refuses)
            await town.start("host-2")
            await until(lambda: in_step(first))
            await town.still()
            assert await town.person("erin", 3).subjects() == ["put off"]
            for name in PAIRS:  # the story is over: let it end in a moment
                town.hosts[name].store.shipping.agree(None)


async def send(town: Town, at: int, subject: str, to: str = HEIDI) -> str:
    return await from_outside(town.address(at), town.config.ports.smtp, ZOE, [to], letter(ZOE, to, subject))


async def test_mail_that_was_queued_before_waits_for_the_standby_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that starts may be ahead of its standby: nothing leaves its queue before the standby counts."""
    agreed: list[bool] = []
    begin, agree = Loader.load, Sender.start

    async def load(loader: Loader) -> None:
        agreed.append(loader._store._writer.telling.waits)
        await begin(loader)

    async def start(sender: Sender, subscribe: Any) -> None:
        await asyncio.sleep(0.05)
        await agree(sender, subscribe)

    monkeypatch.setattr(Loader, "load", load)
    monkeypatch.setattr(Sender, "start", start)
    with free_net() as net:
        town = make_required(tmp_path / "fabric", net)
        try:
            await town.start("host-1")
            await until(lambda: agreed)
            assert all(agreed)
        finally:
            town.hosts["host-1"].store.shipping.agree(None)  # it never comes
            await town.stop()

"""The zone at BIND, Knot and NSD: as its primary, as secondaries of ours, and with mail flowing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import pytest

from directory import transfer_in, transfer_out, wire
from directory.service import DirectoryService
from heliograph.configuration.config import load
from heliograph.configuration.settings import FILE_NAME
from heliograph.demo.stage import free_net
from tests.directory import fabricated
from tests.directory.fabricated import until
from tests.fabric.town import Town, make_fabric
from tests.peers import nameservers
from tests.peers.nameservers import DOMAIN, KEYS, KEYS_TEXT, KINDS, NameServer, running

pytestmark = pytest.mark.peers
TRANSFER, OPERATOR = wire.name_of("transfer"), wire.name_of("operator")
kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
async def services() -> AsyncIterator[list[DirectoryService]]:
    started: list[DirectoryService] = []
    yield started
    for service in started:
        await service.stop()


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[int]:
    """Note each time that a function is called."""
    calls: list[int] = []
    function = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *given: calls.append(1) or function(*given))
    return calls


@kinds
async def test_as_primary_it_is_followed_within_seconds(
    kind: str, tmp_path: Path, services: list[DirectoryService], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = counted(monkeypatch, transfer_in, "changed")
    net, port = fabricated.free_net()
    server = KINDS[kind](tmp_path / kind, nameservers.free_place(), [(f"{net}.{n}", port) for n in (1, 2, 3)])
    server.folder.mkdir()
    server.zone_file.write_text(fabricated.text(net))
    foreign = {
        "primary_address": server.place[0],
        "primary_port": server.place[1],
        "primary_is_foreign": True,
        "keys": KEYS,
        "transfer_key": TRANSFER,
    }
    with running(server):
        for number in (1, 2):
            settings = fabricated.settings(net, port, number, tmp_path, live=None, first_zone_seconds=10.0, **foreign)
            services.append(DirectoryService(settings))
            await services[-1].start()
        assert [service.current.serial for service in services] == [10, 10]
        old, new = "b3.timeline MX 10 host-2\n", f"b3.timeline.{DOMAIN}. 300 MX 10 host-3.{DOMAIN}.\n"
        await asyncio.to_thread(server.edit, old, new)
        for service in services:
            await until(lambda service=service: service.current.owner("timeline", 3) == "host-3")  # type: ignore[misc]
        assert taken or kind == "nsd"  # the changes alone; NSD keeps none unless it is told to
        # A mistake over there changes nothing here, and is told.
        await asyncio.to_thread(server.edit, new, f"b3.timeline.{DOMAIN}. 5 MX 10 host-1.{DOMAIN}.\n")
        await until(lambda: bool(services[0].problems))
        assert "b3.timeline has a TTL of 5" in services[0].problems[0].text
        assert services[0].current.owner("timeline", 3) == "host-3"


@kinds
async def test_as_secondary_it_follows_ours(
    kind: str, tmp_path: Path, services: list[DirectoryService], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = counted(monkeypatch, transfer_out, "_changes")
    net, port = fabricated.free_net()
    (tmp_path / "live.zone").write_text(fabricated.text(net))
    keyed = {"keys": KEYS, "transfer_key": TRANSFER, "update_keys": frozenset({OPERATOR})}
    place = nameservers.free_place()
    settings = fabricated.settings(net, port, 1, tmp_path, notify_to=(place,), **keyed)
    others = [fabricated.settings(net, port, n, tmp_path, keys=KEYS, transfer_key=TRANSFER) for n in (2, 3)]
    services.extend(map(DirectoryService, (settings, *others)))
    for service in services:
        await service.start()
    server: NameServer = KINDS[kind](tmp_path / kind, place, [(f"{net}.{n}", port) for n in (1, 2, 3)], True)
    with running(server):
        await asyncio.to_thread(nameservers.until, lambda: server.serial() == 10, server.log)
        name, owner = f"b3.timeline.{DOMAIN}.", f"MX 10 host-2.{DOMAIN}."
        update = f"server {net}.1 {port}\nzone {DOMAIN}\nprereq yxrrset {name} {owner}\n"
        update += f"update delete {name} MX\nupdate add {name} 300 MX 10 host-3.{DOMAIN}.\nsend\n"
        key = str(server.folder / "operator.key")
        await asyncio.to_thread(server.say, "nsupdate", "-k", key, text=update)
        assert services[0].current.owner("timeline", 3) == "host-3"
        assert "b3.timeline MX 10 host-3\n" in (tmp_path / "live.zone").read_text()
        await asyncio.to_thread(nameservers.until, lambda: server.serial() == 11, server.log)
        assert len(given) == (2 if kind == "nsd" else 3)  # our hosts too; NSD is set to ask for all
        query = dns.message.make_query(name, "MX")
        answer = await asyncio.to_thread(dns.query.udp, query, server.place[0], port=server.place[1], timeout=5)
        assert "host-3" in str(answer.answer[0])


@kinds
async def test_mail_flows_with_it_as_primary(kind: str, tmp_path: Path) -> None:
    with free_net() as net:
        config = make_fabric(tmp_path / "fabric", net, buckets=4096)
        port, here = config.ports.dns, net.replace(".0/24", "")
        server = KINDS[kind](tmp_path / kind, nameservers.free_place(), [(f"{here}.{n}", port) for n in (1, 2, 3)])
        server.folder.mkdir()
        config.zone_file.rename(server.zone_file)
        (config.root / "tsig.keys").touch(0o600)
        (config.root / "tsig.keys").write_text(KEYS_TEXT)
        file = config.root / FILE_NAME
        lines = f'primary = "{server.place[0]}:{server.place[1]}"\nkeys = "tsig.keys"\ntransfer_key = "transfer"\n'
        file.write_text(file.read_text().replace("[dns]\n", f"[dns]\n{lines}"))
        with running(server):
            async with Town(load(config.root), net).at_work() as town:
                alice, bob = town.person("alice"), town.person("bob", at=2)
                await alice.send(f"bob+subscribe@reflectors.{DOMAIN}", "subscribe")
                await town.still()
                await bob.send(f"bob@reflectors.{DOMAIN}", "the zone is elsewhere")
                await town.still()
                assert (1, "the zone is elsewhere") in await alice.posts()

"""Hosts whose zones differ send mail to and fro: it waits until they agree, and is neither bounced nor refused."""

from __future__ import annotations

import time
from dataclasses import replace

from heliograph.host import Host
from tests.fabric.town import Town, from_outside, letter, until

ZOE = "zoe@elsewhere.example"
ALICE = "alice@fabric.test"  # on host-3


def believe(host: Host, owner: str) -> None:
    """From now on this host's zone is one in which another host has all that is host-3's."""
    zone = host.directory.current
    stale = replace(zone, timeline=tuple(owner if home == "host-3" else home for home in zone.timeline))
    host.rooms._zone = lambda: stale


async def retry(town: Town) -> None:
    for host in town.hosts.values():
        await host.store.write(lambda tx, host=host: host.queue.retry(tx, None, time.time()))


async def test_mail_that_goes_round_waits(town: Town) -> None:
    nobody = next(name for name in map("nobody-{}".format, range(99)) if town.home(name) == "host-3")
    believe(town.hosts["host-1"], "host-2")
    believe(town.hosts["host-2"], "host-1")
    for number, to in ((1, ALICE), (2, ALICE), (1, f"{nobody}@fabric.test")):
        mail = letter(ZOE, to, f"by host-{number}")
        said = await from_outside(town.address(number), town.config.ports.smtp, ZOE, [to], mail)
        assert said.startswith("250"), said  # neither knows whether there is a nobody
    await until(lambda: sum("4.4.6" in row.reply for row in town.waiting()) == 3, lambda: str(town.waiting()))
    for _ in range(60):  # more often than any limit of hops
        await retry(town)
        await until(lambda: all("4.4.6" in row.reply for row in town.waiting()), lambda: str(town.waiting()))
    assert len(town.waiting()) == 3 and not town.abroad.mail
    for name in ("host-1", "host-2"):
        host = town.hosts[name]
        host.rooms._zone = host._zone
    await retry(town)
    await until(lambda: not town.waiting(), lambda: str(town.waiting()))
    assert sorted(await town.person("alice").subjects()) == ["by host-1", "by host-2"]
    (bounce,) = [content for _, to, content in town.abroad.mail if to == [ZOE]]
    assert b"5.1.1" in bounce and nobody.encode() in bounce  # now its owner has said so

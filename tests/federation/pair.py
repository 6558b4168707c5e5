"""Fabrics that know each other by DNS and mail alone, in one event loop.

Law: everything between them goes over real sockets: names by each one's own servers, mail by MX. A wire-tap in the
outbox's place is not needed: each fabric's events say what it took.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from heliograph.configuration.config import load
from heliograph.configuration.settings import Config, Ports
from heliograph.demo.stage import free_net
from heliograph.founding.init import Wish, plan
from heliograph.founding.new_folder import make_folder
from heliograph.outside.seals import read_seals
from mail.headers import split_message
from mail.seal import hash_message, seal
from mail.sealing import seal_key
from reflector.settings import Settings
from reflector.tables import OPEN
from tests.fabric.town import Person, Town, from_outside, letter, until

QUICK = Settings(mirror_grace_seconds=0, mirror_census_seconds=1, leaf_threshold=2)
NORTH, SOUTH, EAST = "north.test", "south.test", "east.test"
HOSTS = {NORTH: 1, SOUTH: 2, EAST: 1}
BUCKETS = {NORTH: 64, SOUTH: 100, EAST: 7}


def make_config(root: Path, net: str, domain: str) -> Config:
    wish = Wish(domain, HOSTS[domain], BUCKETS[domain], ipaddress.ip_network(net), "", Ports())
    decided = plan(wish, time.time(), os.urandom)
    make_folder(root, decided.files, decided.configuration)
    return load(root)


def acquainted(configs: Sequence[Config], **smtp: Any) -> list[Config]:
    """Each asks the others' name servers."""
    servers = ", ".join(f"{config.hosts[0].address}:{config.ports.dns}" for config in configs)
    return [
        replace(
            config,
            smtp=replace(
                config.smtp, resolver=servers, foreign_port=config.ports.smtp, relays=MappingProxyType({}), **smtp
            ),
            reflectors=QUICK,
        )
        for config in configs
    ]


class Fabric(Town):
    """One of them."""

    @property
    def domain(self) -> str:
        return self.config.domain

    def person(self, name: str, at: int = 1) -> Someone:
        return Someone(self.config, name, self.address(at))

    def events(self, kind: str, source: str) -> list[dict[str, Any]]:
        found = [json.loads(detail) for (detail,) in self.one("SELECT detail FROM event WHERE kind = ?", kind)]
        return [detail for detail in found if detail["source"] == source]

    def followers(self, source: str) -> list[str]:
        """Who follows from outside, as the source's reflector has it."""
        sql = f"SELECT address FROM subscriber WHERE source = ? AND until_post = {OPEN} AND kind = 'foreign'"
        return [address for (address,) in self.one(sql, source)]

    def mirror(self, list_: str) -> str:
        """The state of a mirror here; "" where there is none."""
        return "".join(state for (state,) in self.one("SELECT state FROM mirror WHERE list = ?", list_))

    async def hears(self, sender: str, to: str | list[str], content: bytes, host: int = 1) -> str:
        """What a stranger is answered who brings this."""
        there = [to] if isinstance(to, str) else to
        return await from_outside(self.address(host), self.config.ports.smtp, sender, there, content)

    def one(self, sql: str, *values: object) -> list[Any]:
        """Ask all hosts' databases."""
        return [row for host in self.hosts.values() for row in host.store.reader.all(sql, values)]


class Someone(Person):
    @property
    def mail(self) -> str:
        return f"{self.name}@{self.config.domain}"

    async def got(self, subject: str, count: int = 1) -> list[Any]:
        """Wait for letters with this Subject."""
        give_up = time.monotonic() + 20
        while True:
            found = [one for one in await self.letters() if str(one["Subject"]) == subject]
            if len(found) >= count:
                return found
            assert time.monotonic() < give_up, f"{self.name} has {await self.subjects()}"
            await asyncio.sleep(0.05)


def sealed(town: Fabric, content: bytes, by: Config | None = None, now: float = 0.0) -> bytes:
    """Sign as this fabric's first host would (or one of another fabric: its keys, this domain)."""
    config = by or town.config
    keys = [seal_key(one.selector, one.key) for one in read_seals(config.host_folder("host-1"), "host-1")]
    return seal(hash_message(*split_message(content)), [], town.domain, keys, now or time.time()) + content


@contextlib.asynccontextmanager
async def fabrics(folder: Path, *domains: str) -> AsyncIterator[list[Fabric]]:
    async with contextlib.AsyncExitStack() as stack:
        nets = [stack.enter_context(free_net()) for _ in domains]
        made = [make_config(folder / domain, net, domain) for domain, net in zip(domains, nets, strict=True)]
        towns = [Fabric(config, net) for config, net in zip(acquainted(made), nets, strict=True)]
        for town in towns:
            stack.push_async_callback(town.stop)
            await town.start()
        yield towns


async def still(*towns: Fabric) -> None:
    await until(lambda: not any(town.waiting() for town in towns), lambda: f"{[town.waiting() for town in towns]}")


__all__ = ["EAST", "NORTH", "SOUTH", "Fabric", "fabrics", "letter", "sealed", "still", "until"]

"""Fabrics that know each other by DNS and mail alone, in one event loop.

Law: everything between them goes over real sockets: names by each one's own servers, mail by MX. A wire-tap in the
outbox's place is not needed: each fabric's events say what it took.
"""

from __future__ import annotations

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

from heliograph.config import load
from heliograph.demo.stage import free_net
from heliograph.init import Wish, plan
from heliograph.new_folder import make_folder
from heliograph.settings import Config, Ports
from reflector.settings import Settings
from tests.fabric.town import Person, Town, letter, until

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

    def events(self, kind: str) -> list[dict[str, Any]]:
        found = [
            host.store.reader.all("SELECT detail FROM event WHERE kind = ?", (kind,)) for host in self.hosts.values()
        ]
        return [json.loads(detail) for rows in found for (detail,) in rows]

    def one(self, sql: str, *values: object) -> list[Any]:
        """Ask all hosts' databases."""
        return [row for host in self.hosts.values() for row in host.store.reader.all(sql, values)]


class Someone(Person):
    @property
    def mail(self) -> str:
        return f"{self.name}@{self.config.domain}"

    async def got(self, subject: str, count: int = 1) -> list[Any]:
        """Wait for letters with this Subject."""
        import asyncio

        give_up = time.monotonic() + 20
        while True:
            found = [one for one in await self.letters() if str(one["Subject"]) == subject]
            if len(found) >= count:
                return found
            assert time.monotonic() < give_up, f"{self.name} has {await self.subjects()}"
            await asyncio.sleep(0.05)


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


__all__ = ["EAST", "NORTH", "SOUTH", "Fabric", "fabrics", "letter", "still", "until"]

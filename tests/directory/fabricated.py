"""A small fabric for the directory's tests: three hosts, eight buckets, on addresses of its own."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import Callable
from pathlib import Path

from directory.render import render_zone
from directory.settings import Settings
from directory.snapshot import HostRecord
from directory.zone import Zone
from directory.zone_text import read_zone

DOMAIN = "fabric.test"
BUCKETS = 8

_nets = itertools.count(os.getpid() * 7)


def hosts(net: str = "192.0.2", count: int = 3) -> list[HostRecord]:
    return [HostRecord(f"host-{n}", f"{net}.{n}", bytes([n]) * 32) for n in range(1, count + 1)]


def text(net: str = "192.0.2", serial: int = 10) -> str:
    return render_zone(DOMAIN, BUCKETS, hosts(net), serial=serial)


def zone(content: str | None = None) -> Zone:
    reading = read_zone((content or text()).encode(), DOMAIN)
    assert reading.zone is not None, reading.problems
    return reading.zone


def free_net() -> tuple[str, int]:
    """A 127.x.y of one's own, and a port that is free there for UDP and TCP."""
    number = next(_nets)
    net = f"127.{20 + number % 200}.{number // 200 % 250}"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((f"{net}.1", 0))
        return net, int(probe.getsockname()[1])


def settings(net: str, port: int, number: int, folder: object, **more: object) -> Settings:
    """Settings of host-`number`; host-1 is the primary."""
    base = Path(str(folder))
    role: dict[str, object] = (
        {"live": base / "live.zone"} if number == 1 else {"primary_address": f"{net}.1", "first_zone_seconds": 5.0}
    )
    values: dict[str, object] = {
        "domain": DOMAIN,
        "buckets": BUCKETS,
        "address": f"{net}.{number}",
        "port": port,
        "copy": base / f"host-{number}.zone",
        "poll_seconds": 0.02,
        **role,
        **more,
    }
    return Settings(**values)  # type: ignore[arg-type]


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - there is no event for what another host sees
            await asyncio.sleep(0.01)

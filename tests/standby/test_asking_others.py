"""Whom an heir waits for before it takes a lost host's buckets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from directory.names import FabricNames
from directory.snapshot import Directory, HostRecord
from heliograph.standby.inheriting import Inheritance

HOSTS = {name: HostRecord(name, "127.0.0.1", b"\0" * 32) for name in ("host-1", "host-2", "host-3")}
ZONE = Directory(FabricNames("fabric.test", 1), 5, HOSTS, ("host-2",), ("host-2",), lost={"host-3": "host-1"})
KEYS = [("timeline", 0)]


class Silent:
    async def open(self, host: str, purpose: str) -> Any:
        raise OSError("no answer")


async def test_a_host_that_was_taken_out_of_the_zone_is_not_waited_for(tmp_path: Path) -> None:
    zone = [ZONE]
    party: Any = SimpleNamespace(host="host-1", zone=lambda: zone[0])
    heir = Inheritance(party, Any, Silent(), Any, Any, tmp_path, "host-3")  # type: ignore[arg-type]
    estate: Any = SimpleNamespace(undecided=list)
    assert not await heir._ask(estate, "host-2", KEYS)  # it may have taken them
    zone[0] = replace(ZONE, hosts={name: HOSTS[name] for name in ("host-1", "host-3")})
    assert await heir._ask(estate, "host-2", KEYS)

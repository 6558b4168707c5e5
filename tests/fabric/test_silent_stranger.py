"""A connection to the door for streams that says nothing, not even who it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from heliograph import streams
from heliograph.demo.stage import free_net
from tests.fabric.town import Town, make_fabric


async def test_who_does_not_begin_to_speak_is_hung_up_on_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "OPEN_SECONDS_MAX", 0.2)
    with free_net() as net:
        town = Town(make_fabric(tmp_path / "fabric", net), net)
        try:
            await town.start("host-1")
            reader, writer = await asyncio.open_connection(town.address(1), town.config.ports.streams)
            async with asyncio.timeout(10.0):
                assert await reader.read() == b""
            writer.close()
        finally:
            await town.stop()

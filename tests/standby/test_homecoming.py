"""A lost host that is back asks its heir what was adopted of its queue, and then sends the rest, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heliograph.standby import homecoming
from heliograph.standby.homecoming import Homecoming
from heliograph.standby.steps import HELD, RETURNED, row_of, set_step
from heliograph.tables import MIGRATIONS
from store import Store, StoreFull, Transaction


class Runner:
    def __init__(self) -> None:
        self.at_work = asyncio.Event()

    async def start(self) -> None:
        self.at_work.set()

    async def stop(self) -> None:
        self.at_work.clear()

    def give_up(self, name: str) -> None: ...


class SometimesFull:
    """A store whose disk is full for a while."""

    def __init__(self, store: Store) -> None:
        self.store, self.reader, self.refusals = store, store.reader, 0

    async def write(self, work: Callable[[Transaction], Any]) -> Any:
        if self.refusals:
            self.refusals -= 1
            raise StoreFull("database or disk is full")
        return await self.store.write(work)


async def test_a_full_disk_holds_the_queue_no_longer_than_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homecoming, "AGAIN_SECONDS", 0.001)
    store = SometimesFull(Store(tmp_path / "host.db", MIGRATIONS))
    await store.write(lambda tx: set_step("host-1", HELD, tx))
    party: Any = SimpleNamespace(
        host="host-1",
        store=store,
        zone=lambda: SimpleNamespace(lost={"host-1": "host-2"}, serial=1),
        ownership=SimpleNamespace(held=list),
        clock=lambda: 0.0,
    )
    runner, mover = Runner(), SimpleNamespace(wake=lambda: None)
    home = Homecoming(party, mover, SimpleNamespace())  # type: ignore[arg-type]
    home.runner = runner

    async def adopted() -> int:
        return 0

    monkeypatch.setattr(home, "_adopted", adopted)
    await home.look()
    store.refusals = 2
    async with asyncio.timeout(10):
        await runner.at_work.wait()
    assert row_of(party, "host-1") == (RETURNED, 0) and not home.is_held and home.word() == {}
    store.store.close()

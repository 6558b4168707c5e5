"""Faults in our own hands leave no mail lying until the next start, and tell nobody twice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mail.outcome import Delivered, Refused
from spool import inbox
from spool.door import RcptTo
from spool.ledger import LEFT_SECONDS
from spool.queue import Row, fresh, message
from spool.schedule import FABRIC
from spool.settle import Settled
from spool.step import Step
from store import Transaction
from tests.spool.queue_house import SETTINGS, House, disk_full
from tests.spool.scripted_peer import Peer

LOCKED = sqlite3.OperationalError("database is locked")


def failing(times: int, work: Callable[..., Any], fault: Exception = LOCKED) -> Callable[..., Any]:
    """`work`, which fails so many times before it is itself."""
    faults = iter(range(times))

    def tried(*words: Any, **more: Any) -> Any:
        if next(faults, None) is not None:
            raise fault
        return work(*words, **more)

    return tried


async def test_rows_that_could_not_be_parked_are_parked_later(tmp_path: Path) -> None:
    """The cursor has passed them: nobody would look at them again."""
    gate = asyncio.Event()

    async def slow(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await gate.wait()
        return False

    settings = replace(SETTINGS, fresh_rows_max=100, retry_rows_max=100, load_rows=50, fabric_recipients_max=10)
    settings = replace(settings, timeouts=replace(SETTINGS.timeouts, command=30, greeting=30))
    async with Peer(hook=slow) as peer, House(tmp_path, settings) as house:
        settler = house.runner.settler
        settler.park = failing(2, settler.park)  # type: ignore[method-assign]
        house.fabric.ports = {"host-2": peer.port}
        await house.put(*(f"u{n}@host-2" for n in range(120)))
        await house.put("x@here")
        await house.until(lambda: house.filed() == ["x@here"], seconds=5)
        gate.set()
        await house.empty()
        assert len(peer.recipients) == len(set(peer.recipients)) == 120


async def test_a_step_that_fails_while_nothing_can_be_read_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows beside it go on at once."""
    step, faults = Step.take, iter(range(2))

    def take(self: Step, tx: Transaction, rows: list[Row], now: float) -> None:
        if any(row.address == "b@here" for row in rows) and next(faults, None) is not None:
            raise sqlite3.OperationalError("disk image is malformed")
        step(self, tx, rows, now)

    monkeypatch.setattr(Step, "take", take)
    monkeypatch.setattr(inbox, "message", failing(1, message))
    async with House(tmp_path) as house:
        await house.put("a@here", "b@here", "c@here")
        await house.until(lambda: house.filed() == ["a@here", "c@here"])
        await house.until(lambda: [row.next_attempt > LEFT_SECONDS for row in house.waiting()] == [True])
        house.late = LEFT_SECONDS + 1
        house.runner.wake()
        await house.empty()
        assert house.filed() == ["a@here", "c@here", "b@here"]


async def test_a_result_that_cannot_be_written_is_found_again_without_a_restart(tmp_path: Path) -> None:
    async with Peer() as peer, House(tmp_path) as house:
        settler = house.runner.settler
        settler.apply = failing(3, settler.apply)  # type: ignore[method-assign]
        house.fabric.ports = {"host-2": peer.port}
        await house.put("a@host-2")
        await house.until(lambda: [row.destination for row in house.waiting()] == ["host-2"])
        assert peer.recipients == ["a@host-2"]
        house.late = LEFT_SECONDS + 1
        house.runner.wake()
        await house.empty()
        assert peer.recipients == ["a@host-2"] * 2  # it may have got lost: again, and our own hosts drop the repeat


async def test_a_host_that_ends_while_its_disk_is_full_begins_no_more_steps(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = replace(SETTINGS, here_rows=1, here_steps=2, full_seconds=60.0, stop_seconds=0.05)
    async with House(tmp_path, settings) as house:
        settler = house.runner.settler
        settler.apply = failing(1_000, settler.apply, disk_full())  # type: ignore[method-assign]
        house.fabric.routes["no@gone.test"] = Refused("5.1.2 gone")
        await house.put("no@gone.test", *(f"u{n}@here" for n in range(10)))
        await house.until(lambda: caplog.text.count("disk full") == 3)  # two steps, and a result that is waited for
    await asyncio.sleep(0)
    assert "fail" not in caplog.text and caplog.text.count("disk full") == 3


async def test_a_result_that_is_written_again_tells_nobody_twice(tmp_path: Path) -> None:
    """A standby that is behind lets a commit stand and says that it failed: the same is written once more."""
    async with House(tmp_path, start=False) as house:
        await house.put(*(RcptTo(f"{name}@old.test", "SUCCESS") for name in "ab"), sender="alice@far.test")
        rows = fresh(house.store.reader, (0, -1), 10)
        about = message(house.store.reader, rows[0].message)
        assert about
        done = Settled(about, rows[:1], [Delivered()], "old.test", FABRIC, "old.test", "relayed")
        for _ in range(2):
            await house.store.write(lambda tx: house.runner.settler.apply(tx, [done], 5.0))
        assert [row.recipient for row in house.waiting()] == ["b@old.test", "alice@far.test"]

"""Killed at any moment, out of disk at any moment: what was accepted is delivered, and no row is wrong."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mail.envelope import Arrival
from mail.outcome import Delivered, Outcome
from spool.listing import lanes
from store import StoreFull, Transaction
from tests.spool.queue_house import SETTINGS, House, disk_full
from tests.spool.scripted_peer import Peer

ROOT = Path(__file__).parents[2]


async def run_child(folder: Path, port: int, label: str, messages: int, kill_seconds: float) -> list[str]:
    """Run a host until it is done, or is killed so long after its first word; return what it said."""
    command = [sys.executable, "-m", "tests.spool.queue_child", str(folder), str(port), label, str(messages)]
    child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert child.stdout
    said = [await child.stdout.readline()]
    killer = asyncio.get_running_loop().call_later(kill_seconds, child.send_signal, signal.SIGKILL)
    said += (await child.stdout.read(),)
    await child.wait()
    killer.cancel()
    return b"".join(said).decode().split()


async def test_a_host_that_is_killed_loses_nothing_and_does_no_step_by_halves(tmp_path: Path) -> None:
    accepted: list[str] = []
    chance = random.Random(2)
    async with Peer() as peer:
        for round_ in range(5):
            said = await run_child(tmp_path, peer.port, f"r{round_}", 400, chance.uniform(0.0, 0.25))
            assert "done" not in said
            accepted += said
        assert (await run_child(tmp_path, peer.port, "last", 1, 60))[-1] == "done"
        sent = Counter(peer.recipients)
    with_own = [f"{name}.{k}" for name in accepted for k in range(10)]
    assert len(accepted) > 20 and {f"{name}@host-2" for name in with_own} <= set(sent)  # at least once
    async with House(tmp_path, start=False) as house:
        filed = Counter(house.filed())
        assert {f"{name}@here" for name in with_own} <= set(filed) and set(filed.values()) == {1}  # exactly once
        assert lanes(house.store.reader).messages == 0 and house.store.reader.all("SELECT * FROM body") == []


async def test_a_step_waits_for_a_full_disk_and_goes_on_by_itself(tmp_path: Path) -> None:
    full = True

    def room(tx: Transaction, arrival: Arrival, recipient: str) -> Outcome:
        if full:
            raise disk_full()
        return Delivered()

    async with House(tmp_path) as house:
        house.fabric.room = room
        await house.put("a@here", "b@here")
        await asyncio.sleep(0.3)
        assert [w.attempts for w in house.waiting()] == [0, 0] and house.filed() == []  # no fault of the mail's
        full = False
        await house.empty()
        assert house.filed() == ["a@here", "b@here"]


async def test_results_wait_for_a_full_disk_and_nothing_is_sent_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Peer() as peer, House(tmp_path, replace(SETTINGS, concurrency_max=1, fabric_recipients_max=1)) as house:
        house.fabric.ports = {"host-2": peer.port}
        await house.put(*(f"u{n}@host-2" for n in range(400)))
        apply, full = house.runner.settler.apply, True

        def fails(tx: Transaction, *arguments: object) -> None:
            if full:
                raise disk_full()
            apply(tx, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(house.runner.settler, "apply", fails)
        await house.until(lambda: peer.recipients)
        await asyncio.sleep(0.3)
        before = len(peer.recipients)
        await asyncio.sleep(0.2)
        assert len(peer.recipients) == before < 400  # a crash now would send all of these again
        full = False
        await house.empty()
        assert sorted(peer.recipients) == sorted(f"u{n}@host-2" for n in range(400))


async def test_a_disk_that_is_really_full_only_stops_the_clock(tmp_path: Path) -> None:
    async with Peer(rcpt=lambda a: "550 5.1.1 no") as peer, House(tmp_path, start=False) as house:
        house.fabric.ports = {"host-2": peer.port}
        await house.put(*(f"u{n}@host-2" for n in range(300)))

        def limit(tx: Transaction, pages: int) -> None:
            (now,) = tx.all("PRAGMA page_count")[0]
            tx.execute(f"PRAGMA max_page_count = {now + pages}")

        await house.store.write(lambda tx: limit(tx, 0))
        with pytest.raises(StoreFull):
            await house.store.write(lambda tx: house.put_in(tx, "x@here", content=b"x" * 1_000_000))
        await house.runner.start()
        await house.until(lambda: peer.heard)
        await asyncio.sleep(0.3)
        assert house.filed() == []  # the notice of 300 refusals found no room; the rows are as they were
        assert len(house.waiting()) == 300
        await house.store.write(lambda tx: limit(tx, 10_000))
        await house.empty()
        assert house.filed() == ["alice@here"]


async def test_a_result_that_cannot_be_written_is_put_off_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        Peer(rcpt=lambda a: "550 5.1.1 no" if a.startswith("bad") else "250 Ok") as peer,
        House(tmp_path) as house,
    ):
        house.fabric.ports = {"host-2": peer.port}
        fail = house.runner.settler._fail

        def broken(*arguments: object) -> None:
            raise RuntimeError("a bug in the notices")

        monkeypatch.setattr(house.runner.settler, "_fail", broken)
        await house.put("a@host-2")
        await house.put("bad@host-2")
        await house.put("c@host-2")
        await house.until(lambda: [w.attempts > 0 for w in house.waiting()] == [True])
        assert house.waiting()[0].recipient == "bad@host-2" and "a bug in the notices" in caplog.text
        monkeypatch.setattr(house.runner.settler, "_fail", fail)
        await house.empty()
        assert house.filed() == ["alice@here"]

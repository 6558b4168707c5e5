"""With a standby, nothing that it does not hold yet is seen by anybody else."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from store import StandbyBehind, Transaction
from store.telling import Terms
from tests.spool.queue_house import House
from tests.spool.scripted_peer import Peer


async def test_mail_leaves_once_the_standby_holds_it(tmp_path: Path) -> None:
    """The queue is read on this disk, where it stands before the standby has it: a numbered post that left then would
    be numbered again by the heir."""
    async with Peer() as peer, House(tmp_path) as house:
        house.fabric.ports["host-2"] = peer.port
        house.store.shipping.agree(Terms(required=True, patience_seconds=60.0))
        commits = house.store.commits
        putting = asyncio.ensure_future(house.put("a@host-2", "b@here"))
        await house.until(house.waiting)
        house.runner.wake()  # for something else
        await house.until(lambda: house.store.commits >= commits + 2)  # the mail, and the question whether it is held
        assert not peer.recipients and not house.filed() and not putting.done()
        house.store.shipping.agree(None)
        await putting
        await house.empty()
        assert peer.recipients == ["a@host-2"] and house.filed() == ["b@here"]


async def test_what_was_delivered_while_the_standby_was_waited_for_is_not_sent_again(tmp_path: Path) -> None:
    """The slow lane is read, then the standby is waited for: what was on its way then has come to its end since."""
    async with Peer() as peer, House(tmp_path) as house:
        house.fabric.ports["host-2"] = peer.port
        answers = {"a@host-2": ["451", "250"], "b@host-2": ["451"] * 3}
        again, answer, waits, gate = (asyncio.Event() for _ in range(4))
        peer.rcpt = lambda address: f"{answers[address].pop(0) if answers[address] else '250'} 4.0.0 as was said"

        async def slowly(line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            if line.startswith("RCPT TO:<a@") and len(answers["a@host-2"]) == 1:
                again.set()
                await answer.wait()
            return False

        def put_off(tx: Transaction) -> None:
            tx.execute("UPDATE queue_recipient SET state = 1 WHERE message = ?", (house.put_in(tx, "c@here"),))

        async def held() -> None:
            waits.set()
            await gate.wait()

        peer.hook = slowly
        await house.put("a@host-2", "b@host-2")
        await again.wait()  # from the slow lane
        house.store.held = held  # type: ignore[method-assign]
        await house.store.write(put_off)
        await waits.wait()
        answer.set()
        await house.until(lambda: "a@host-2" not in {row.recipient for row in house.waiting()})
        gate.set()
        await house.empty()
        assert sorted(peer.recipients) == ["a@host-2", "b@host-2"]


async def test_a_queue_that_stands_still_says_why_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Peer() as peer, House(tmp_path) as house:
        house.fabric.ports["host-2"] = peer.port
        house.store.shipping.agree(Terms(required=True, patience_seconds=0.0))
        putting = asyncio.ensure_future(house.put("a@host-2"))
        await house.until(lambda: house.store.shipping.look(time.monotonic()))
        with pytest.raises(StandbyBehind):
            await putting
        house.runner.wake()
        await house.until(lambda: "the queue stands still" in caplog.text)
        asked = house.store.held = Mock(wraps=house.store.held)  # type: ignore[method-assign]
        await house.until(lambda: asked.call_count >= 3)
        house.store.shipping.agree(None)
        await house.empty()
        assert peer.recipients == ["a@host-2"]
        [said] = [record.message for record in caplog.records if record.levelname == "WARNING"]
        assert said == "standby away (the standby does not answer): the queue stands still"


async def test_mail_for_a_host_that_was_given_up_before_the_start_does_not_wait_for_its_time(tmp_path: Path) -> None:
    async with Peer() as peer, House(tmp_path, start=False) as house:
        house.fabric.ports["host-2"] = peer.port

        def put_off(tx: Transaction) -> None:
            sql = "UPDATE queue_recipient SET state = 1, next_attempt = next_attempt + 3600, destination = 'host-2'"
            tx.execute(f"{sql} WHERE message = ?", (house.put_in(tx, "a@host-2"),))

        await house.store.write(put_off)
        house.runner.give_up("host-2")
        await house.runner.start()
        await house.empty()
        assert peer.recipients == ["a@host-2"]

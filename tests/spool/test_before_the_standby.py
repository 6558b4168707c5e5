"""With a standby, nothing that it does not hold yet is seen by anybody else."""

from __future__ import annotations

import asyncio
from pathlib import Path

from store.telling import Terms
from tests.spool.queue_house import House
from tests.spool.scripted_peer import Peer


async def test_mail_leaves_once_the_standby_holds_it(tmp_path: Path) -> None:
    """The queue is read on this disk, where it stands before the standby has it: a numbered post that left then would
    be numbered again by the heir."""
    async with Peer() as peer, House(tmp_path) as house:
        house.fabric.ports["host-2"] = peer.port
        house.store.shipping.agree(Terms(required=True, patience_seconds=60.0))
        putting = asyncio.ensure_future(house.put("a@host-2", "b@here"))
        await house.until(house.waiting)
        commits = house.store.commits
        house.runner.wake()  # for something else
        await house.until(lambda: house.store.commits > commits)
        assert not peer.recipients and not house.filed() and not putting.done()
        house.store.shipping.agree(None)
        await putting
        await house.empty()
        assert peer.recipients == ["a@host-2"] and house.filed() == ["b@here"]

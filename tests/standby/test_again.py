"""Streams that end and come again: when, and that there is one of each owner."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heliograph.standby import sender
from heliograph.standby.receiver import Receiver
from heliograph.standby.replicas import Replicas
from heliograph.standby.sender import Sender


async def test_a_stream_that_stood_for_a_while_is_opened_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for the standby to hold a commit waits no longer than a blink of the wire."""
    lasts = iter([0.1, 0.1, 3_600.0, 0.1])
    now, pauses = [0.0], list[float]()
    keeper = Sender("host-1", SimpleNamespace(), SimpleNamespace(), lambda: None, "required")  # type: ignore[arg-type]

    async def stream(standby: str) -> None:
        now[0] += next(lasts)

    async def sleep(seconds: float) -> None:
        if seconds != sender.LOOK_SECONDS:
            pauses.append(seconds)

    monkeypatch.setattr(keeper, "_stream", stream)
    monkeypatch.setattr(keeper, "_look", lambda standby: asyncio.Event().wait())
    monkeypatch.setattr(sender, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(sender, "asyncio", SimpleNamespace(sleep=sleep, create_task=asyncio.create_task))
    with pytest.raises(RuntimeError):  # there are no more streams
        await keeper._run("host-2")
    assert pauses == [0.2, 0.5, 0.2, 0.5]


async def test_of_streams_that_come_at_once_the_newest_alone_is_served(tmp_path: Path) -> None:
    replicas = Replicas(tmp_path)
    receiver = Receiver(replicas, lambda owner: True)
    writer: Any = SimpleNamespace(close=lambda: None)
    handling = []
    for _ in range(4):  # the first is being served when the others come
        handling.append(asyncio.create_task(receiver.handle(asyncio.StreamReader(), writer, "host-1")))
        await asyncio.sleep(0 if handling[1:] else 0.01)
    for _ in range(50):
        await asyncio.sleep(0)
    served = [task for task in asyncio.all_tasks() if task.get_name() == "replica of host-1" and not task.done()]
    assert served == [replicas.kept("host-1").stream]
    await replicas.close()
    await asyncio.gather(*handling)

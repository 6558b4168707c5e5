"""When a host says that it takes mail again."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from heliograph.standby import taking_again
from heliograph.standby.taking_again import TakingAgain
from tests.standby.pair import until


async def test_a_refusal_is_told_of_when_it_is_over_however_short_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_again, "LOOK_SECONDS", 0.001)
    told: list[str] = []
    state = SimpleNamespace(refuses=False, refusals=0)

    async def open_stream(host: str, purpose: str) -> Any:
        told.append(host)
        raise OSError

    streams: Any = SimpleNamespace(open=open_stream)
    again = TakingAgain(
        streams, lambda: state.refuses, lambda: state.refusals, lambda: ["host-2", "host-3"], lambda _: None
    )
    async with again.at_work():
        await asyncio.sleep(0.02)
        state.refusals = 1  # it began, and was over, between two looks
        await until(lambda: told == ["host-2", "host-3"])
        state.refusals, state.refuses = 2, True
        await asyncio.sleep(0.02)
        assert len(told) == 2
        state.refuses = False
        await until(lambda: told == ["host-2", "host-3"] * 2)


async def test_a_fault_does_not_end_the_looking_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_again, "LOOK_SECONDS", 0.001)
    told: list[str] = []
    state = SimpleNamespace(refusals=0)

    async def open_stream(host: str, purpose: str) -> Any:
        told.append(host)
        raise ValueError("what it shows is no certificate") if len(told) == 1 else OSError()

    streams: Any = SimpleNamespace(open=open_stream)
    again = TakingAgain(streams, lambda: False, lambda: state.refusals, lambda: ["host-2"], lambda _: None)
    async with again.at_work():
        await asyncio.sleep(0.02)
        for count in (1, 2):
            state.refusals = count
            await until(lambda count=count: len(told) == count)  # type: ignore[misc]

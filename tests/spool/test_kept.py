"""Connections that wait for more mail: each for its own while, counted from when it was last used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import pytest

from spool.destination import Destination, destination_of
from spool.kept import Kept
from spool.route import Via
from spool.runner_settings import Settings
from spool.smtp_client import Session

SETTINGS = Settings("host-1", "host-1.test", connections_max=2)


@dataclass(eq=False)
class FakeSession:
    is_usable: bool = True
    ended: str = ""

    async def quit(self) -> None:
        self.ended = "politely"

    def close(self) -> None:
        self.ended = "at once"


@dataclass
class Timer:
    fire: Callable[[], object]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
async def timers(monkeypatch: pytest.MonkeyPatch) -> list[Timer]:
    started: list[Timer] = []

    def call_later(seconds: float, callback: Callable[..., object], *arguments: object) -> Timer:
        started.append(Timer(lambda: callback(*arguments)))
        return started[-1]

    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", call_later)
    return started


def session(usable: bool = True) -> Session:
    return cast(Session, FakeSession(usable))


def ended(one: Session) -> str:
    return cast(FakeSession, one).ended


def destination() -> Destination:
    return destination_of(Via("host-2", "127.0.0.1", 25, "a@host-2"), SETTINGS)


async def test_a_connection_that_was_used_again_waits_its_whole_while_again(timers: list[Timer]) -> None:
    kept, there, one = Kept(SETTINGS), destination(), session()
    kept.put(there, one)
    assert kept.take(there) is one
    kept.put(there, one)
    for timer in timers[:1]:  # of its first wait
        assert timer.cancelled or timer.fire()
    assert kept.take(there) is one
    kept.put(there, one)
    timers[-1].fire()
    await asyncio.sleep(0)
    assert kept.take(there) is None and ended(one) == "politely"


async def test_no_more_wait_than_allowed_and_none_that_is_of_no_use(timers: list[Timer]) -> None:
    kept, there = Kept(SETTINGS), destination()
    first, second, third, broken = session(), session(), session(), session(usable=False)
    for one in (broken, first, second, third):
        kept.put(there, one)
    await asyncio.sleep(0)
    assert [ended(one) for one in (broken, first, second, third)] == ["at once", "", "", "politely"]
    assert kept.take(there) is second
    kept.put(there, third)
    await kept.close([there])
    assert ended(first) == "politely" and kept.take(there) is None

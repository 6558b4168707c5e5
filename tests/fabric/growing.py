"""A town whose lists are small and go their rounds quickly, so that they split, and what is done to them by hand.

Law: nothing here decides for the tree: it is hurried, and its rooms are spoken to as rooms speak to each other.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

import heliograph.rounds
import reflector.membership
from heliograph.demo.stage import free_net
from mail.control import Control, add_controls
from mail.envelope import Outgoing, Recipient
from reflector import Settings
from tests.fabric.town import OUTSIDE, Town, letter, make_fabric

BOB = "bob@reflectors.fabric.test"

SomeTown = TypeVar("SomeTown", bound=Town)


@contextlib.asynccontextmanager
async def growing(
    kind: type[SomeTown], root: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SomeTown]:
    """Three hosts at work."""
    monkeypatch.setattr(heliograph.rounds, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(reflector.membership, "LOOK_SECONDS", 0.05)
    with free_net() as net:
        config = make_fabric(root, net, outside=net.replace(".0/24", ".50"))
        here = kind(replace(config, reflectors=settings), net)
        async with here.at_work():
            yield here


async def control(town: Town, *controls: Control) -> None:
    """A room of some host speaks to bob's list."""
    host = town.hosts["host-1"]
    content = add_controls(letter("x@fabric.test", BOB, "control"), *controls)
    to = host.directory.current.names.reflector_inside("bob", "control")
    mail = Outgoing("", (Recipient(to),), content, signed=True)
    await host.store.write(lambda tx: host.flow.dispatch(tx, mail, time.time()))


async def hurry(town: Town) -> None:
    """What was put off, until a hand-over ended for one, is tried again at once."""
    for host in town.hosts.values():
        await host.store.write(lambda tx, host=host: host.queue.retry(tx, None, time.time()))


def strangers(*numbers: int) -> tuple[str, ...]:
    return tuple(f"p{number}@{OUTSIDE}" for number in range(*numbers))

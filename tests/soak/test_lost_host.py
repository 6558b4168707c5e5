"""A host dies with its disk while everybody writes, posts and reads; its heir dies at points of the promotion.

HELIOGRAPH_SEED: of everything that is random here but the clock.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import pytest

from heliograph.database import MARK
from heliograph.demo.__main__ import settings
from heliograph.demo.outside import PLACE, Mailbox, foreign_mailbox, web_site
from heliograph.demo.stage import PASSWORD, Stage, stage
from mailbox_host.passwords import hash_password
from tests.soak import verdict
from tests.soak.moving_faults import MovingFleet
from tests.soak.test_kills import set_out
from tests.soak.traffic import PEOPLE, SOURCES, STEADY, Journal, Traffic

SEED = int(os.environ.get("HELIOGRAPH_SEED", "0")) or random.randrange(1, 2**31)
LOST, HEIR = "host-2", "host-3"
ENDS = ("laid-out", "rows", "after-take", "adopted", "inherited")
PATIENCE_SECONDS = 180.0


def required(text: str, net: str) -> str:
    changed = settings(text, net).replace('# mode = "preferred"  ', 'mode = "required"  ')
    assert 'mode = "required"' in changed
    return changed


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_host_s_disk_is_lost_and_its_heir_is_killed_at_each_point(capsys: Any) -> None:
    with capsys.disabled():
        print(f"\nseed {SEED}", flush=True)
        assert run(required, partial(_lose, ENDS), 8.0, lambda line: print(line, flush=True)) == []


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_frozen_host_is_given_up_and_thaws_again_and_again(capsys: Any) -> None:
    """Where nobody waits for the standby, it took what its heir never heard of: that comes back."""
    with capsys.disabled():
        print(f"\nseed {SEED}", flush=True)
        assert run(settings, _freeze, 5.0, lambda line: print(line, flush=True)) == []


Told = Callable[[str], None]
Trouble = Callable[[MovingFleet, Told], Awaitable[None]]


def run(configured: Callable[[str, str], str], trouble: Trouble, seconds: float, told: Told) -> list[str]:
    with ExitStack() as scenery:
        here = scenery.enter_context(stage(settings=configured))
        hashed = hash_password(PASSWORD.encode())
        here.ask("account", "import", "-", typed="".join(f"{name}:{hashed}\n" for name in PEOPLE))
        outside = scenery.enter_context(foreign_mailbox(here, Mailbox))
        site = scenery.enter_context(web_site(here.address(PLACE), Journal))
        assert isinstance(site, Journal)
        return asyncio.run(_run(here, outside, site, trouble, seconds, told))


async def _run(here: Stage, outside: Mailbox, site: Journal, trouble: Trouble, seconds: float, told: Told) -> list[str]:
    fleet, traffic = MovingFleet(here, None, {}), Traffic(here, site, SEED)
    try:
        await set_out(fleet, traffic, outside, site)
        await _ask(here, "host", "standby", LOST, HEIR, "--apply")
        await _until(lambda: _copy(here).get("whole"), lambda: str(_copy(here)))
        running = asyncio.create_task(traffic.run())
        try:
            await asyncio.sleep(seconds)
            await trouble(fleet, told)
            await asyncio.sleep(seconds)
        finally:
            traffic.stop()
            await running
        if fleet.has_ended(LOST):
            await fleet.start(LOST)  # a new disk, with nothing on it
            await fleet.ready(LOST)
        await fleet.still()
        posts = sum(map(len, traffic.promises.posts.values()))
        told(f"{posts} posts, {sum(map(len, traffic.promises.letters.values()))} letters, {fleet.kills} kills")
        found = await asyncio.to_thread(lambda: list(judge(fleet, traffic, outside)))
        found += [f"a host ended with code {code}" for code in await fleet.stop() if code]
        found += verdict.audit(fleet)
        for line in found[:100]:
            told(f"FAULT {line}")
        return found
    finally:
        await fleet.stop()
        fleet.close()


async def _lose(ends: tuple[str, ...], fleet: MovingFleet, told: Told) -> None:
    """Kill a host, take its disk away, promote; kill the heir at one point after the other."""
    here = fleet.stage
    await fleet.kill(LOST)
    folder = here.config.host_folder(LOST)
    for path in (*folder.glob("heliograph.db*"), folder / MARK):
        path.unlink()
    began = time.monotonic()
    for turn, end in enumerate((*ends, "")):
        if end:
            await fleet.kill(HEIR, anyway=True)
            fleet.ends = {HEIR: end}
            await fleet.start(HEIR)
        elif turn:
            fleet.ends = {}
            await fleet.start(HEIR)
        with suppress(AssertionError):  # it may be through before it is ready
            await fleet.ready(HEIR)
        if not turn:
            await _ask(here, "host", "promote", LOST, "--apply")
        if end:
            await _until(lambda: fleet.has_ended(HEIR), partial("{} does not come to {}".format, HEIR, end))
            told(f"{time.monotonic() - began:.1f} s: {HEIR} ended at {end}")
            fleet.kills += 1
    await _until(lambda: LOST in _word(here).get("succession", {}).get("inherited", ()), lambda: str(_word(here)))
    told(f"{time.monotonic() - began:.1f} s: all that {LOST} left is at {HEIR}")


async def _freeze(fleet: MovingFleet, told: Told) -> None:
    """Give up a host that stands still; let it go on, as an owner that does not know; welcome it, give it buckets."""
    here = fleet.stage
    for turn in range(2):
        began = time.monotonic()
        fleet.signal(LOST, signal.SIGSTOP)
        await _ask(here, "host", "promote", LOST, "--apply")
        await _until(lambda: LOST in _word(here).get("succession", {}).get("inherited", ()), lambda: str(_word(here)))
        told(f"{time.monotonic() - began:.1f} s: all that {LOST} left is at {HEIR}")
        fleet.signal(LOST, signal.SIGCONT)
        await asyncio.sleep(1.0)
        await _until(
            lambda: _word(here, LOST).get("succession", {}).get("returning") == {}, lambda: str(_word(here, LOST))
        )
        told(f"{time.monotonic() - began:.1f} s: {LOST} has nothing left to give")
        if not turn:
            await _ask(here, "host", "welcome", LOST, "--apply")
            await _ask(here, "rebalance", "--apply")
            await _until(
                lambda: sum(_word(here, LOST).get("owned", {}).values()) > 2_000, lambda: str(_word(here, LOST))
            )
            await _ask(here, "host", "standby", LOST, HEIR, "--apply")
            await _until(lambda: _copy(here).get("whole") and _copy(here).get("connected"), lambda: str(_copy(here)))
            told(f"{time.monotonic() - began:.1f} s: {LOST} is at home again")


def judge(fleet: MovingFleet, traffic: Traffic, outside: Mailbox) -> Iterator[str]:
    """As after kills; numbers of posts skip where a list was inherited, and what a lost host told is lost with it."""
    promises = traffic.promises
    boxes = {name: verdict._read(fleet, name) for name in PEOPLE}
    yield from promises.changed
    yield from verdict._letters(boxes, promises)
    if fleet.kills:  # else what only the lost host had was given new ones
        yield from verdict._uids(boxes, promises)
    yield from verdict._filed(fleet, promises)
    yield from verdict._items(boxes, promises)
    yield from verdict._strangers(boxes, promises)
    yield from verdict._abroad(outside, promises)
    for source in SOURCES:
        for name in STEADY:
            held = [mark for _, mark in boxes[name] if mark.startswith(f"post-{source}-")]
            if not fleet.kills:  # numbered by both, its sender said it to both: see the decision
                held = sorted(set(held))
            yield from verdict._once(f"{name}, posts of {source}", held, {*promises.posts[source], *held})


def _word(here: Stage, host: str = HEIR) -> dict[str, Any]:
    said = here.command("status", "--json").stdout  # its code tells that a host is down
    with suppress(ValueError):
        return next((word for word in json.loads(said)["hosts"] if word["host"] == host), {})
    return {}


def _copy(here: Stage) -> dict[str, Any]:
    return next((copy for copy in _word(here).get("copies", ()) if copy["of"] == LOST), {})


async def _ask(here: Stage, *words: str) -> None:
    await asyncio.to_thread(here.ask, *words)


async def _until(look: Callable[[], Any], what: Callable[[], str]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not await asyncio.to_thread(look):
        assert time.monotonic() < give_up, what()
        await asyncio.sleep(0.2)

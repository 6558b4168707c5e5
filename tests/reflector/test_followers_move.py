"""People move from host to host while they follow, leave, are posted to: each has every post of what she was told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from mailbox_host import carrying, passing, straying, unpacking
from mailbox_host.carrying import Told
from reflector import Settings
from store import Bodies
from tests.reflector import tree_world
from tests.reflector.tree_world import HOSTS, NAMES, PEOPLE, Host, Mail, Weather, World

SCHEDULES = 16
SETTINGS = Settings(leaf_threshold=2, split_threshold=400, report_seconds=1, answer_seconds=600, rest_seconds_min=60)
MILD = Weather(late=0.2, behind=0.0, repeated=0.1, crashed=0.03, lost=0.05, spoiled=0.0)


# Welcomes and goodbyes are hours late: each of these seeds lost posts once.
VERY_LATE = replace(MILD, behind=0.5, delay_seconds_max=8000.0)
LOSERS = (20, 26, 54)


@pytest.fixture(autouse=True)
def zone_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = tree_world.DIRECTORY
    root = before.owner("reflectors", NAMES.bucket("bob"))
    monkeypatch.setattr(straying, "_signer", lambda *_: root)  # mail carries no signatures in this world
    yield
    tree_world.DIRECTORY = before


class MovingWorld(World):
    """Moves are whole, and the zone is everywhere at once: late is only the mail, and above all the posts."""

    def post(self, mail: Mail, *, lossless: bool = False, delay: float = 0.0) -> None:
        if not self.calm and b"Heliograph-Post: " in mail.content and self.random.random() < 0.5:
            delay += self.random.uniform(0, 2000)
        super().post(mail, lossless=lossless, delay=delay)

    def move(self, name: str, to: str) -> None:
        zone = tree_world.DIRECTORY
        bucket = NAMES.bucket(name)
        home = zone.owner("timeline", bucket)
        names = [one for one in PEOPLE if NAMES.bucket(one) == bucket]
        if home == to:
            return
        giver, taker = self.hosts[home], self.hosts[to]
        while not carrying.settle(giver.tx, names):
            pass
        carrying.leave(giver.tx, names, to)
        for one in names:
            unpacking.forget(taker.tx, one, 10**6)
            carry(giver, taker, one)
        owners = (*zone.timeline[:bucket], to, *zone.timeline[bucket + 1 :])
        former = zone.former.get(("timeline", bucket), frozenset()) | {home}
        tree_world.DIRECTORY = replace(
            zone, serial=zone.serial + 1, timeline=owners, former={**zone.former, ("timeline", bucket): former}
        )
        carrying.arrive(taker.tx, names)
        passing.left(giver.tx, to, self.now)

    def run(self, until: float) -> None:
        while self.now < until:
            super().run(min(until, self.now + 60))
            for host in self.hosts.values():
                if host.mailbox.is_due(host.tx, self.now):
                    host.step(partial(tell_lists, host), crash=self._chance(self.weather.crashed))

    def _is_busy(self, host: Host) -> bool:
        return super()._is_busy(host) or passing.count(host.tx) > 0


def tell_lists(host: Host) -> None:
    for outgoing in host.mailbox.work(host.tx, host.world.now):
        host.dispatch(outgoing, 0)


def carry(giver: Host, taker: Host, name: str) -> None:
    layout = carrying.layout(giver.tx)
    for part in carrying.parts(layout, giver.tx, name, Told()):
        bodies = Bodies.by_digest(giver.tx, carrying.bodies_of(part))
        held = [Bodies.keep(taker.tx, Bodies.read(giver.tx, body)) for body in bodies.values()]
        unpacking.put(layout, taker.tx, part)
        for body in held:
            Bodies.release(taker.tx, body)


def live(seed: int, weather: Weather) -> MovingWorld:
    world: Any = MovingWorld(seed, replace(SETTINGS, leaf_threshold=2 + seed % 3), weather)
    world.create()
    dice = world.random
    for _ in range(120):
        followers = [who for who in world.followers.values() if who.entity]
        match dice.randrange(5):
            case 0 | 1:
                world.publish()
            case 2:
                world.toggle(dice.choice(followers))
            case 3:
                who = dice.choice(followers)
                if not who.busy:
                    world.move(who.entity, dice.choice(HOSTS))
        world.run(world.now + dice.choice((1, 30, 300, 2000)))
    world.settle(hours=400)
    world.check()
    assert not any(passing.count(host.tx) for host in world.hosts.values())
    return world  # type: ignore[no-any-return]


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_everybody_gets_every_post_once(seed: int) -> None:
    live(seed, MILD)


@pytest.mark.parametrize("seed", LOSERS)
def test_words_that_are_hours_late_lose_nothing(seed: int) -> None:
    live(seed, VERY_LATE)

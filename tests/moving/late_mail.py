"""A fabric of three hosts whose mail is late: stories of followers and lists that move, and every order of events.

Law: nothing here is random and nothing sleeps. A story is a row of deeds; a schedule says after which deed mail of a
kind arrives, or a host hears of an edited zone. What is left at the end arrives then, and one more post: then everybody
must have had every post of the intervals that they were told, once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from directory.snapshot import Directory, HostRecord, Map
from heliograph.ownership.holding import Offer, acquire, bury, seal, take
from heliograph.ownership.ownership import find
from mail.control import Control, CreateSource, add_controls
from mail.outcome import Deferred, Delivered
from mail.signature import sign, signer
from mailbox_host import accounts
from reflector import Settings, tending
from spool.route import Here, Via
from store import Bodies
from tests.moving.late_place import HOSTS, KEYS, NAMES, Mail, Place

START = 1_800_000_000.0
SECONDS_A_DEED = 30.0
ROUNDS_MAX = 200  # in which mail comes to rest: a story takes some ten
HOPS_MAX = 4
BEFORE, LAST = -5, 99  # no deeds: what is held until LAST arrives at the end

Deed = tuple[
    str, ...
]  # ("ask", who, word ...), ("post",), ("edit", map, name, host), ("seal" or "take", map, name) ...
CROWD = {"leaf_threshold": 1}  # every host with a follower gets one copy, and a leaf as soon as the list is looked at
ROWS = {"leaf_threshold": 50}


@dataclass(frozen=True)
class Story:
    """`lists`, `home`: the hosts of bob's list and of ann; `leaf`: a host that is a leaf from the beginning; `deeds`:
    what happens; `by_hand`: lists do nothing by themselves before the end."""

    lists: str
    home: str
    deeds: Sequence[Deed]
    leaf: str = ""
    limits: Mapping[str, Any] = field(default_factory=lambda: CROWD)
    by_hand: bool = False

    def play(self, when: Mapping[str, int] | None = None) -> World:
        """Live through it. `when`: after which deed mail of a kind arrives (``welcome``, ``welcome 3``), how many deeds
        late posts are (``post``), or hosts hear of zones (``zone host-1``)."""
        world = self.begin(when)
        for deed in self.deeds:
            world.do(deed)
        world.finish()
        return world

    def begin(self, when: Mapping[str, int] | None = None) -> World:
        """As it is before the first deed."""
        people = {"ann": self.home} | ({"bea": self.leaf} if self.leaf else {})
        world = World(self.lists, people, when or {}, Settings(report_seconds=1, **self.limits), self.by_hand)
        if self.leaf:
            world.ask("bea", "subscribe")
            for _ in range(2):
                world.rest()
                world.clock += 100
        world.deed = 0
        return world


def move(which: Map, name: str, to: str) -> list[Deed]:
    return [("edit", which, name, to), ("seal", which, name), ("take", which, name)]


@cache
def public_keys() -> dict[str, bytes]:
    pairs = {name: Ed25519PrivateKey.from_private_bytes(key) for name, key in KEYS.items()}
    return {name: key.public_key().public_bytes_raw() for name, key in pairs.items()}


def first_zone(lists: str, people: Mapping[str, str]) -> Directory:
    hosts = {name: HostRecord(name, "127.0.0.1", key) for name, key in public_keys().items()}
    homes = {NAMES.bucket(who): host for who, host in people.items()}
    timelines = tuple(homes.get(bucket, lists) for bucket in range(NAMES.buckets))
    return Directory(NAMES, 1, hosts, timelines, (lists,) * NAMES.buckets)


class World:
    """The hosts, and what is on its way between them."""

    def __init__(
        self, lists: str, people: Mapping[str, str], when: Mapping[str, int], settings: Settings, by_hand: bool
    ) -> None:
        self.when, self.settings, self.by_hand = when, settings, by_hand
        self.clock, self.deed, self.letters = START, BEFORE, 0
        self.zones = [first_zone(lists, people)]
        self.queued: list[Mail] = []
        self.due: list[tuple[int, Place, Directory]] = []
        self.waiting: list[Deed] = []
        self.born: dict[int, int] = {}
        self.refused: list[str] = []
        self.places = {name: Place(self, name) for name in HOSTS}
        for who, host in people.items():
            self._step(self.places[host], lambda place, who=who: accounts.add(place.tx, who, None, START))  # type: ignore[misc]
        self._bring(NAMES.reflector_inside("bob", "control"), {}, CreateSource("bob", "bob", "Bob"))
        self.rest()

    # --- deeds

    def do(self, deed: Deed) -> None:
        """Do it, and let arrive what is due by now. A list that is nobody's hears what it is told when it is."""
        self.waiting.append(deed) if deed[0] in ("ask", "post", "flatten") else getattr(self, deed[0])(*deed[1:])
        while self.waiting and self.owner("reflectors", "bob"):
            act, *rest = self.waiting.pop(0)
            getattr(self, act)(*rest)
        self.clock += SECONDS_A_DEED
        for one in [one for one in self.due if one[0] <= self.deed]:
            one[1].hear(one[2])
            self.due.remove(one)
        self.rest()
        self.deed += 1

    def ask(self, who: str, word: str, folder: str = "") -> None:
        fields = {"Heliograph-Authenticated": who, "From": f"{who}@fabric.test", "Subject": f"{word} {folder}".strip()}
        self._bring(NAMES.reflector_inside("bob", "request"), fields)

    def post(self) -> None:
        self.born[self.next_post()] = self.deed
        self._bring(NAMES.reflector_inside("bob"), {"Heliograph-Authenticated": "bob", "From": "bob@fabric.test"})

    def flatten(self) -> None:
        """The operator wants no leaves."""
        place = self.owner("reflectors", "bob")
        assert place is not None
        self._step(place, lambda place: tending.ask(place.tx, "bob", tending.FLAT, self.clock))

    def edit(self, which: Map, name: str, to: str) -> None:
        """Give a name's bucket to another host. Both ends hear of it at once, the others by the schedule."""
        zone, bucket = self.zones[-1], NAMES.bucket(name)
        owners = getattr(zone, which)
        changed: dict[str, Any] = {which: (*owners[:bucket], to, *owners[bucket + 1 :])}
        zone = replace(zone, serial=zone.serial + 1, **changed)
        self.zones.append(zone)
        giver = self.owner(which, name)
        for place in self.places.values():
            late = 0 if place in (giver, self.places[to]) else self.when.get(f"zone {place.name}", 0)
            self.due.append((self.deed + late, place, zone)) if late else place.hear(zone)

    def seal(self, which: Map, name: str) -> None:
        """The other host is ready, and the owner gives it up."""
        giver, key = self.owner(which, name), (which, NAMES.bucket(name))
        assert giver is not None
        taker, mine = self.places[giver.view(*key).named], cast(Any, find(giver.tx, *key))
        taker.hear(giver.zone)
        offer = Offer(which, key[1], giver.name, mine.epoch, giver.zone.serial)
        self._step(taker, lambda place: place.ownership.put(place.tx, acquire(offer, self.clock)))
        units = giver.units(which, name)
        while not self._step(giver, lambda place: place.cargo[which].settle(place.tx, units, self.clock)):
            pass

        def work(place: Place) -> None:
            place.cargo[which].leave(place.tx, units, taker.name)
            place.ownership.put(place.tx, cast(Any, seal(mine, taker.name, place.view(*key), self.clock)))

        self._step(giver, work)

    def take(self, which: Map, name: str) -> None:
        """The other host has all of it, and owns it; the giver hears so."""
        key = (which, NAMES.bucket(name))
        found = ((place, find(place.tx, *key)) for place in self.places.values())
        giver, sealed = next((place, one) for place, one in found if one and one.state == "sealed")
        taker = self.places[sealed.peer]
        self._step(taker, lambda place: _carry(giver, place, which, name))

        def arrive(place: Place) -> None:
            place.cargo[which].arrive(place.tx, place.units(which, name), giver.name, self.clock)
            coming, view = find(place.tx, *key), place.view(*key)
            own = take(coming, giver.name, sealed.epoch, sealed.serial, view, self.clock)
            place.ownership.put(place.tx, cast(Any, own))

        def left(place: Place) -> None:
            place.ownership.put(place.tx, cast(Any, bury(sealed, sealed.epoch, self.clock)))
            place.cargo[which].left(place.tx, taker.name, self.clock)

        self._step(taker, arrive)
        self._step(giver, left)

    def _step(self, place: Place, work: Callable[[Place], Any]) -> Any:
        return place.step(lambda: work(place))

    # --- mail

    def _bring(self, to: str, fields: Mapping[str, str], *controls: Control) -> None:
        """A letter that the list's host has taken from a session, or from another host."""
        self.letters += 1
        place = self.owner("reflectors", "bob")
        assert place is not None
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        letter = f"Message-ID: <l{self.letters}@x.test>\r\n{head}\r\nletter {self.letters}\r\n".encode()
        content = sign(add_controls(letter, *controls), domain=NAMES.domain, host=place.name, key=KEYS[place.name])
        sender, envid = fields.get("From", ""), f"{self.letters:064x}"
        self.queued.append(Mail(place.name, to, sender, content, envid, place.name, "letter"))

    def is_held(self, mail: Mail) -> bool:
        if self.deed >= LAST:
            return False
        word, _, number = mail.kind.partition(" ")
        if word == "post":
            return self.deed < self.born.get(int(number), 0) + self.when.get(word, 0)
        return self.deed < self.when.get(mail.kind, self.when.get(word, self.deed))

    def rest(self) -> None:
        """Deliver what may be delivered until nothing changes."""
        before: list[Mail] = []
        for _ in range(ROUNDS_MAX):
            going = [mail for mail in self.queued if not self.is_held(mail)]
            self.queued = [mail for mail in self.queued if self.is_held(mail)]
            stuck = [mail for mail in going if not self._goes(mail)]
            resting = self.by_hand and self.deed < LAST
            busy = [] if resting else [one.rounds() for one in self.places.values()]
            self.queued += stuck
            if stuck == before and len(going) == len(stuck) and not any(busy):
                self.queued = [replace(mail, hops=0) for mail in self.queued]
                return
            before = stuck
        raise AssertionError(f"mail goes in a circle: {[(mail.kind, mail.at, mail.to) for mail in self.queued]}")

    def _goes(self, mail: Mail) -> bool:
        """Deliver a mail, or pass it to the host that it is routed to; False: it stays in its queue."""
        place = self.places[mail.at]
        match place.flow.route(mail.to):
            case Here():
                outcome = place.take(mail)
                if not isinstance(outcome, Delivered | Deferred):
                    self.refused.append(f"{mail.kind} to {mail.to}: {outcome}")
                return not isinstance(outcome, Deferred)
            case Via(host) if mail.hops < HOPS_MAX:
                by = _signer(mail.content)
                assert by or not mail.signed_by, f"{mail.kind} to {mail.to} left {mail.at} unsigned"
                self.queued.append(replace(mail, at=host, signed_by=by, hops=mail.hops + 1))
                return True
        return False

    # --- what came of it

    def owner(self, which: Map, name: str) -> Place | None:
        bucket = NAMES.bucket(name)
        owners = (place for place in self.places.values() if place.ownership.state(which, bucket) == "owner")
        return next(owners, None)

    def next_post(self) -> int:
        place = self.owner("reflectors", "bob")
        row = place.tx.one("SELECT next_post FROM source WHERE name = 'bob'") if place else None
        return int(row[0]) if row else 1

    def finish(self) -> None:
        """Everything arrives, and one more post."""
        for place in self.places.values():
            place.hear(self.zones[-1])
        self.due, self.deed = [], LAST
        for _ in range(3):
            self.clock += 1000.0
            self.rest()
        self.post()
        self.rest()

    def fault(self) -> str:
        """What ann lacks, or has though she left; a post that came before she was heard to have left is no fault."""
        if self.queued or self.refused:
            return f"on its way for ever: {[(mail.kind, mail.to) for mail in self.queued]}, refused: {self.refused}"
        place, last = self.owner("timeline", "ann"), self.next_post() - 1
        assert place is not None
        told, got = sorted(self._told()), set(place.posts_of("ann"))
        due = covered(told, last)
        if due - got:
            return f"lacks {sorted(due - got)}: told {told}"
        return f"has the last, and left: told {told}" if last in got - due else ""

    def _told(self) -> Iterator[tuple[int, int, bool]]:
        """What the list told ann: (generation, post, opens)."""
        sql = "SELECT kind, detail FROM event WHERE kind IN ('subscribed', 'unsubscribed')"
        for place in self.places.values():
            for kind, detail in place.tx.all(sql):
                about, opens = json.loads(detail), kind == "subscribed"
                if about["address"] == NAMES.person("ann"):
                    yield about["generation"], about["since" if opens else "until"], opens


def covered(told: Sequence[tuple[int, int, bool]], last: int) -> set[int]:
    due: set[int] = set()
    since = 0
    for _, post, opens in told:
        if opens:
            since = since or post
        elif since:
            due, since = due | set(range(since, post)), 0
    return due | set(range(since, last + 1)) if since else due


@cache
def _signer(content: bytes) -> str:
    """Every zone of a story publishes the same keys."""
    return signer(content, domain=NAMES.domain, key_of=lambda host: public_keys().get(host))


def _carry(giver: Place, taker: Place, which: Map, name: str) -> None:
    cargo = giver.cargo[which]
    for unit in taker.units(which, name):
        taker.cargo[which].forget(taker.tx, unit, 10**6)
    for unit in giver.units(which, name):
        for part in cargo.parts(giver.tx, unit, cargo.told()):
            bodies = Bodies.by_digest(giver.tx, cargo.bodies_of(part))
            held = [Bodies.keep(taker.tx, Bodies.read(giver.tx, body)) for body in bodies.values()]
            taker.cargo[which].put(taker.tx, part)
            for body in held:
                Bodies.release(taker.tx, body)

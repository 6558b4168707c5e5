"""A fabric of three hosts in one thread, with the real rooms, and everything else made up: time, mail, crashes.

What happens follows from a seed. Mail is late, out of order, sent again after it was taken, and a step may be undone by
a crash; hand-over mail may be lost; hosts are away. What hosts send is sent by what they committed alone.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from directory.names import FabricNames, Foreign
from directory.snapshot import Directory, HostRecord
from mail.address import parse_address
from mail.control import Control, CreateSource, Subscribe, add_controls
from mail.envelope import Arrival, Outgoing, Recipient
from mail.headers import Headers, split_message
from mail.outcome import Deferred, Outcome, Refused
from mailbox_host import accounts, timeline
from mailbox_host.bell import Bell
from mailbox_host.room import MailboxRoom
from mailbox_host.tables import MIGRATIONS as MAILBOXES
from reflector import MIGRATIONS as REFLECTORS
from reflector import ReflectorRoom, Settings, tending
from store import Bodies, Transaction
from store.bodies import MIGRATION as BODIES

NAMES = FabricNames("fabric.test", 64)
HOSTS = ("host-1", "host-2", "host-3")
PEOPLE = ("ann", "bea", "cat", "dan", "eli", "fay", "gus", "hal", "ida")
STRANGERS = tuple(f"s{number}@pen.test" for number in range(14))
START = 1_800_000_000.0
HANDS_MAX = 8
WITH_ROWS = ("adopt ", "returned ")  # from which a fault of some machine may take one row
MAY_BE_LOST = ("adopt ", "adopted ", "fold ", "returned ", "released ", "report ", "audit ")


def zone() -> Directory:
    hosts = {name: HostRecord(name, "127.0.0.1", b"\0" * 32) for name in HOSTS}
    spread = tuple(HOSTS[bucket % 3] for bucket in range(64))
    return Directory(NAMES, 1, hosts, spread, spread)


DIRECTORY = zone()


@cache
def template(host: str) -> bytes:
    """A host's database before anything happened, with the accounts that live there."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for step in (BODIES, *REFLECTORS, *MAILBOXES):
        connection.executescript(step.sql)
    tx = Transaction(connection)
    here = [name for name in PEOPLE if DIRECTORY.owner("timeline", NAMES.bucket(name)) == host]
    accounts.add_many(tx, [(name, None) for name in here], START)
    return connection.serialize()


@dataclass(frozen=True, slots=True)
class Mail:
    """One message for one recipient, in the queue of the host that sends it."""

    to: str
    sender: str
    content: bytes
    signed_by: str
    at: float

    @property
    def control(self) -> str:
        return Headers.parse(split_message(self.content)[0]).get("heliograph-control")


@dataclass(frozen=True)
class Weather:
    """How bad things are: chances of one step, and delays in seconds. `late`: hand-over mail, `behind`: all other."""

    late: float = 0.25
    behind: float = 0.25
    repeated: float = 0.08
    crashed: float = 0.04
    lost: float = 0.08
    spoiled: float = 0.01
    delay_seconds_max: float = 1200.0


FAIR = Weather(0, 0, 0, 0, 0, 0)
STORM = Weather()
STRAGGLERS = Weather(late=0.05, behind=0.5, repeated=0.1, lost=0.02)  # trees change faster than posts arrive
SLOW = Weather(late=0.6, behind=0.6, delay_seconds_max=200)


class Host:
    """A host: its database, its rooms, and the step that joins them."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.deserialize(template(name))
        self.tx = Transaction(connection)
        self.reflector = ReflectorRoom(name, lambda: DIRECTORY, name.encode() * 4, world.settings)
        self.mailbox = MailboxRoom(name, lambda: DIRECTORY, Bell())
        self.sent: list[Mail] = []
        self.away_until = 0.0
        self.events_read = 0

    def step(self, work: Callable[[], Outcome | None], *, crash: bool) -> Outcome | None:
        """One transaction; a crash undoes it, with all that it would have sent."""
        self.sent = []
        self.tx.execute("BEGIN")
        outcome = work()
        if crash:
            self.tx.execute("ROLLBACK")
            return Deferred("crashed")
        self.tx.execute("COMMIT")
        for mail in self.sent:
            self.world.post(mail)
        self.world.hear(self)
        return outcome

    def take(self, mail: Mail) -> Outcome:
        envid = hashlib.sha256(mail.content).hexdigest()
        body = Bodies.keep(self.tx, mail.content)
        now = self.world.now
        arrival = Arrival(mail.sender, mail.content, body, envid, mail.signed_by, now, now)
        outcome = self._receive(self.tx, arrival, mail.to, 0)
        Bodies.release(self.tx, body)
        return outcome

    def work(self) -> None:
        for outgoing in self.reflector.work(self.tx, self.world.now):
            self.dispatch(outgoing, 0)

    def _receive(self, tx: Transaction, arrival: Arrival, address: str, hands: int) -> Outcome:
        name = NAMES.classify(parse_address(address))
        room: Any = self.reflector if type(name).__name__ == "Reflector" else self.mailbox
        receipt = room.receive(tx, arrival, name)
        if not isinstance(receipt.outcome, Deferred):
            for outgoing in receipt.outgoing:
                self.dispatch(outgoing, hands + 1)
        outcome: Outcome = receipt.outcome
        return outcome

    def dispatch(self, outgoing: Outgoing, hands: int) -> None:
        """As heliograph.flow does it: to this host's rooms at once, everything else by the queue."""
        now, signed_by = self.world.now, outgoing.signed_by or (self.name if outgoing.signed else "")
        body = Bodies.keep(self.tx, outgoing.content)
        envid = hashlib.sha256(outgoing.content).hexdigest()
        for recipient in outgoing.recipients:
            sender = outgoing.sender if recipient.sender is None else recipient.sender
            arrival = Arrival(sender, outgoing.content, body, envid, signed_by, now, now)
            if not (hands < HANDS_MAX and self._hand(arrival, recipient, hands)):
                self.sent.append(Mail(recipient.address, sender, outgoing.content, signed_by, now))
        Bodies.release(self.tx, body)

    def _hand(self, arrival: Arrival, recipient: Recipient, hands: int) -> bool:
        name = NAMES.classify(parse_address(recipient.address))
        if isinstance(name, Foreign) or DIRECTORY.host_of(name) != self.name:
            return False
        outcome = self.tx.nested(lambda part: self._receive(part, arrival, recipient.address, hands))
        return not isinstance(outcome, Deferred | Refused)


@dataclass
class Follower:
    """Somebody who follows and leaves, one command at a time. `told`: (generation, post, opens) of each change;
    `asked`: the next post's number when she asked, and when it was done. `quiet`: commands that a room gave for her."""

    address: str
    entity: str = ""
    follows: bool = False
    busy: bool = False
    quiet: int = 0
    told: list[tuple[int, int, bool]] = field(default_factory=list)
    asked: list[list[int]] = field(default_factory=list)


class World:
    """Hosts, followers, and the mail between them."""

    def __init__(self, seed: int, settings: Settings | None = None, weather: Weather | None = None) -> None:
        self.random = random.Random(seed)
        self.weather = weather or Weather()
        self.settings = settings or Settings()
        self.now = START
        self.calm = False
        self.waiting: list[tuple[float, int, Mail]] = []
        self.count = 0
        self.abroad: Counter[tuple[str, int]] = Counter()
        self.answers: Counter[tuple[str, str]] = Counter()
        self.refused: list[str] = []
        self.story: list[tuple[float, str, str, dict[str, Any]]] = []
        self.hosts = {name: Host(self, name) for name in HOSTS}
        self.followers = {
            **{a: Follower(a) for a in STRANGERS},
            **{NAMES.person(e): Follower(NAMES.person(e), e) for e in PEOPLE},
        }
        self.root = self.hosts[DIRECTORY.owner("reflectors", NAMES.bucket("bob"))]

    # What people do

    def create(self, backlog: int = 0) -> None:
        self.control("bob", CreateSource("bob", "bob", "Bob's news", backlog))
        while not tending.lists_here(self.root.tx):
            self.run(self.now + 10)

    def publish(self) -> None:
        fields = {"Heliograph-Authenticated": "bob", "From": "bob@fabric.test"}
        self.letter(NAMES.reflector_inside("bob"), fields, self.root.name)

    def toggle(self, who: Follower) -> None:
        """She follows if she did not, and leaves if she did; not before her last word was heard."""
        if who.busy:
            return
        who.busy, who.follows = True, not who.follows
        who.asked.append([self.next_post(), 0])
        word = "subscribe" if who.follows else "unsubscribe"
        to = NAMES.reflector_inside("bob", word)
        if who.entity:
            host = DIRECTORY.owner("timeline", NAMES.bucket(who.entity))
            self.letter(to, {"Heliograph-Authenticated": who.entity, "From": who.address}, host)
        elif who.follows and self.random.random() < 0.5:
            who.quiet += 1
            self.control("bob", Subscribe("bob", who.address))
        else:
            self.letter(to, {"From": who.address})

    def control(self, source: str, control: Control, host: str = "host-2") -> None:
        self.count += 1
        content = add_controls(b"Message-ID: <c%d@pen.test>\r\n\r\n" % self.count, control)
        self.post(Mail(NAMES.reflector_inside(source, "control"), "", content, host, self.now), lossless=True)

    def letter(self, to: str, fields: dict[str, str], signed_by: str = "") -> None:
        self.count += 1
        fields = {"Message-ID": f"<l{self.count}@pen.test>", **fields}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.post(Mail(to, fields["From"], f"{head}\r\ntext {self.count}\r\n".encode(), signed_by, self.now))

    def wish(self, policy: str) -> None:
        """An operator has some list become split, flat, or what it likes."""
        host = self.random.choice(list(self.hosts.values()))
        lists = tending.lists_here(host.tx)
        if lists:
            list_ = self.random.choice(lists)
            host.step(lambda: tending.ask(host.tx, list_, policy, self.now) and None, crash=False)

    def next_post(self) -> int:
        row = self.root.tx.one("SELECT next_post FROM source WHERE name = 'bob'")
        assert row
        return int(row[0])

    # How mail goes

    def post(self, mail: Mail, *, lossless: bool = False, delay: float = 0.0) -> None:
        """Put a mail on its way."""
        name = NAMES.classify(parse_address(mail.to))
        if isinstance(name, Foreign):
            self._abroad(mail)
            return
        rough = not self.calm and not lossless
        if rough and mail.control.startswith(MAY_BE_LOST) and self.random.random() < self.weather.lost:
            return
        if rough and mail.control.startswith(WITH_ROWS) and self.random.random() < self.weather.spoiled:
            mail = replace(mail, content=mail.content[: mail.content.rstrip().rfind(b"\n") + 1])
        chance = self.weather.late if mail.control.startswith(MAY_BE_LOST) else self.weather.behind
        late = rough and self.random.random() < chance
        seconds = self.random.uniform(0, self.weather.delay_seconds_max if late else 2.0)
        self.count += 1
        heapq.heappush(self.waiting, (self.now + delay + seconds, self.count, mail))

    def _abroad(self, mail: Mail) -> None:
        headers = Headers.parse(split_message(mail.content)[0])
        if headers.has("heliograph-post"):
            self.abroad[mail.to, int(headers.get("heliograph-post"))] += 1
        elif headers.has("reply-to"):
            self.letter(headers.get("reply-to"), {"From": mail.to})
        else:
            self.answers[mail.to, headers.get("message-id").split(".")[1].partition("@")[0]] += 1

    def run(self, until: float) -> None:
        """Let time pass. Each host goes its rounds once in a while."""
        while self.now < until:
            due = self.waiting[0][0] if self.waiting else until
            self.now = min(max(due, self.now), until)
            while self.waiting and self.waiting[0][0] <= self.now:
                self._deliver(heapq.heappop(self.waiting)[2])
            for host in self.hosts.values():
                if host.away_until <= self.now and host.reflector.is_due(host.tx, self.now):
                    host.step(host.work, crash=self._chance(self.weather.crashed))
            if not self.waiting and self.now < until:
                self.now = min(until, self.now + 30)

    def _deliver(self, mail: Mail) -> None:
        host = self.hosts[DIRECTORY.host_of(NAMES.classify(parse_address(mail.to)))]
        if host.away_until > self.now:
            self.post(mail, lossless=True, delay=host.away_until - self.now + self.random.uniform(0, 300))
            return
        outcome = host.step(lambda: host.take(mail), crash=self._chance(self.weather.crashed))
        if isinstance(outcome, Deferred):
            self.post(mail, lossless=True, delay=30 if self.calm else self.random.uniform(10, 600))
        elif isinstance(outcome, Refused) and "used already" not in outcome.text:
            self.refused.append(f"{mail.to}: {outcome.text}")
        elif self._chance(self.weather.repeated):
            self.post(mail, lossless=True)

    def _chance(self, chance: float) -> bool:
        return not self.calm and self.random.random() < chance

    def hear(self, host: Host) -> None:
        """Read what a host did."""
        rows = host.tx.all("SELECT seq, kind, detail FROM event WHERE seq > ? ORDER BY seq", (host.events_read,))
        for seq, kind, detail in rows:
            host.events_read = seq
            about = json.loads(detail)
            self.story.append((self.now, host.name, kind, about))
            if kind in ("subscribed", "unsubscribed"):
                who = self.followers[about["address"]]
                who.told.append(
                    (about["generation"], about["since" if kind == "subscribed" else "until"], kind == "subscribed")
                )
                if len(who.told) <= len(who.asked):
                    who.asked[len(who.told) - 1][1] = self.next_post()
                who.busy = False

    def settle(self, hours: float = 24.0) -> None:
        """Fair weather, until nothing is under way."""
        self.calm = True
        for host in self.hosts.values():
            host.away_until = 0.0
        end = self.now + hours * 3600
        while self.now < end:
            self.run(self.now + 600)
            if not self.waiting and not any(self._is_busy(host) for host in self.hosts.values()):
                return

    def _is_busy(self, host: Host) -> bool:
        return any(host.tx.one(f"SELECT 1 FROM {table}") for table in ("move", "look"))

    # What must have come of it

    def check(self, backlog: int = 0) -> None:
        """Everybody has exactly the posts of the intervals that they were told, and was told what they asked."""
        assert not self.refused, self.refused[:3]
        assert not self.waiting, [(m.to, m.control[:60]) for _, _, m in self.waiting[:5]]
        posts = self.next_post() - 1
        for who in self.followers.values():
            self._check_told(who, backlog)
            due = covered(who.told, posts)
            if who.entity:  # her timeline drops what it had, however often she is told of it
                due = Counter(due.keys())
            got = self._timeline(who.entity) if who.entity else self._box(who.address)
            assert got == due, f"{who.address}: told {who.told}, lacks {due - got}, has besides {got - due}"
        for host in self.hosts.values():
            _check_counts(host.tx)
        self._check_rows()
        self._check_wishes()

    def _check_wishes(self) -> None:
        """In fair weather every list becomes what it is to be."""
        for host in self.hosts.values():
            for list_ in filter(self._serves, tending.lists_here(host.tx)):
                stand = tending.stand_of(host.tx, list_)
                assert stand is not None and stand.move is None, f"{list_} is still under way"
                whole = stand.node.policy == tending.FLAT
                assert not (whole and (stand.subs or stand.leaves)), f"{list_} is not flat"
                foreign = self._foreign(host, list_)
                split = stand.node.policy == tending.SPLIT or (stand.node.policy == tending.AUTO and stand.subs)
                assert not (split and foreign), f"{list_} is not split: {foreign} rows"
                assert foreign <= self.settings.split_threshold or whole, f"{list_} has {foreign} rows"

    def _foreign(self, host: Host, list_: str) -> int:
        sql = "SELECT count(*) FROM subscriber WHERE source = ? AND until_post = ? AND kind = 'foreign'"
        row = host.tx.one(sql, (list_, 2**63 - 1))
        assert row
        return int(row[0])

    def _check_told(self, who: Follower, backlog: int) -> None:
        """Each command was carried out once, and holds from a post between its asking and its doing."""
        assert not who.busy, f"{who.address} was never answered"
        told = sorted(who.told)
        assert len(told) == len(who.asked), f"{who.address} asked {len(who.asked)} times, was told {told}"
        assert told == who.told, f"{who.address}: generations fall: {who.told}"
        for (_, post, opens), (asked, done) in zip(told, who.asked, strict=True):
            least = asked - backlog if opens else asked
            assert least <= post <= done, f"{who.address}: told {post}, asked at {asked}, done at {done}"

        answers = Counter({text: n for (to, text), n in self.answers.items() if to == who.address})
        if not who.entity:  # a timeline's answers are mail like any other
            wanted = len(who.asked) - who.quiet
            assert answers.keys() <= {"welcome", "goodbye"} and answers.total() == wanted, f"{who.address}: {answers}"

    def _box(self, address: str) -> Counter[int]:
        return Counter({post: n for (to, post), n in self.abroad.items() if to == address})

    def _timeline(self, entity: str) -> Counter[int]:
        host = self.hosts[DIRECTORY.owner("timeline", NAMES.bucket(entity))]
        while timeline.catch_up(host.tx, entity):
            pass
        sql = "SELECT e.post FROM entry e JOIN account a ON a.id = e.account WHERE a.name = ? AND e.source = 'bob'"
        return Counter(post for (post,) in host.tx.all(sql, (entity,)))

    def _check_rows(self) -> None:
        """Everybody outside who follows has one open row, in the list that serves her, and nobody else has."""
        rows = Counter(
            address
            for host in self.hosts.values()
            for address, source in host.tx.all(
                "SELECT address, source FROM subscriber WHERE until_post = 9223372036854775807 AND kind = 'foreign'"
            )
            if self._serves(source)
        )
        following = {who.address for who in self.followers.values() if who.follows and not who.entity}
        assert rows == Counter(following), f"rows {rows}, but {following} follow"

    def _serves(self, list_: str) -> bool:
        """Tell whether a list is part of the tree, from the root down."""
        if "+" not in list_:
            return True
        node = int(list_.rpartition(".")[2])
        parent = f"bob+sub.{(node - 1) // 16}" if node > 16 else "bob"
        host = self.hosts[DIRECTORY.owner("reflectors", NAMES.bucket(parent))]
        open_ = "SELECT 1 FROM branch WHERE list = ? AND name = ? AND until_post = 9223372036854775807"
        return host.tx.one(open_, (parent, list_)) is not None and self._serves(parent)

    def lists(self) -> list[str]:
        """Return the tree's lists, as they serve now."""
        names = (name for host in self.hosts.values() for name in tending.lists_here(host.tx))
        return sorted(name for name in names if self._serves(name))


def covered(told: list[tuple[int, int, bool]], posts: int) -> Counter[int]:
    """The posts of the intervals that somebody was told, in order of generation."""
    due: Counter[int] = Counter()
    since: int | None = None
    for _, post, opens in sorted(told):
        if opens:
            since = post
        elif since is not None:
            due.update(range(since, post))
            since = None
    if since is not None:
        due.update(range(since, posts + 1))
    return due


def _check_counts(tx: Transaction) -> None:
    rows = tx.all(
        "SELECT s.name, s.subscribers, (SELECT count(*) FROM subscriber r WHERE r.source = s.name"
        " AND r.until_post = 9223372036854775807) AS open FROM source s WHERE open <> s.subscribers"
    )
    assert not rows, rows


def tell(world: World, only: str = "") -> str:
    """The story of a world, to read when it ended badly."""
    lines = [f"{at - START:9.1f} {host} {kind} {about}" for at, host, kind, about in world.story]
    return "\n".join(line for line in lines if only in line)


def live(seed: int, deeds: int = 40) -> World:
    """One schedule, from beginning to end."""
    chance = random.Random(seed)
    settings = Settings(
        leaf_threshold=chance.choice((1, 2, 50)),
        split_threshold=chance.choice((2, 3, 5, 8)),
        fanout_max=chance.choice((2, 2, 3)),
        rows_max=chance.choice((1, 2, 1000)),
        answer_seconds=300,
        rest_seconds_min=20,
        rest_seconds_max=120,
        stranger_mails_per_day=1000,
        answers_per_day=1000,
    )
    world = World(seed, settings, chance.choice((FAIR, STORM, STORM, STRAGGLERS, STRAGGLERS, STRAGGLERS, SLOW)))
    backlog = chance.choice((0, 0, 0, 2))
    world.create(backlog)
    crowd = _crowd(world, chance)
    for who in chance.sample(crowd, chance.randrange(len(crowd))):
        world.toggle(who)
    busy = chance.choice((0.05, 0.15, 0.35))
    for _ in range(deeds):
        _do(world, chance, crowd, busy)
        world.run(world.now + chance.choice((0.5, 5, 60, 400)))
    world.settle()
    world.publish()
    world.settle()
    world.check(backlog)
    return world


def _crowd(world: World, chance: random.Random) -> list[Follower]:
    """Who takes part: everybody, those outside, or a few who cannot make up their minds."""
    everybody = list(world.followers.values())
    outside = [who for who in everybody if not who.entity]
    kind = chance.randrange(5)
    if kind < 2:
        return everybody
    if kind < 4:
        return outside
    return chance.sample(everybody, 4)


def _do(world: World, chance: random.Random, crowd: list[Follower], busy: float) -> None:
    """One deed: a post, somebody's command, an operator's wish (`busy`: how often), or a host is away."""
    deed = chance.random()
    if deed < 0.02 and world.weather != FAIR:
        chance.choice(list(world.hosts.values())).away_until = world.now + chance.choice((60, 600, 3600))
    elif deed < 0.02 + busy:
        world.wish(chance.choice((tending.AUTO, tending.SPLIT, tending.FLAT)))
    elif deed < 0.5 + busy / 2:
        world.publish()
    else:
        world.toggle(chance.choice(crowd))

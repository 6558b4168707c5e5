"""Was every promise kept? What people hold is read over IMAP, as they would, and compared with what they were promised.

Law: it counts; "arrived" is not enough, "once" is what is asked. Each fault is a line that names the letter.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator

from heliograph.demo.outside import Mailbox
from tests.fabric.audit import faults
from tests.soak.fleet import Fleet
from tests.soak.traffic import PEOPLE, RESTLESS, SOURCES, STEADY, ZOE, Promises, newest, read_folder

OPEN = 2**62
REPLIES = ("You follow", "You no longer follow", "You already follow", "soak feed", "Lighthouse log")

Mailboxes = dict[str, list[tuple[int, str]]]


def judge(fleet: Fleet, promises: Promises, outside: Mailbox) -> list[str]:
    """Return every fault; nothing, if all promises were kept. The hosts are up, and nothing is queued."""
    boxes = {name: _read(fleet, name) for name in PEOPLE}
    return [
        *promises.changed,
        *_letters(boxes, promises),
        *_posts(fleet, boxes, promises),
        *_commands(fleet, promises),
        *_items(boxes, promises),
        *_uids(boxes, promises),
        *_filed(fleet, promises),
        *_strangers(boxes, promises),
        *_abroad(outside, promises),
    ]


def audit(fleet: Fleet) -> list[str]:
    """Go through the databases of hosts that are down."""
    return [f"{name}: {fault}" for name in fleet.names for fault in faults(fleet.database(name))]


def intervals(fleet: Fleet, source: str) -> dict[str, list[tuple[int, int]]]:
    """Whose subscription of a source covers which posts: [from, until), as its reflector took the commands, wherever it
    was at the time."""
    sql = "SELECT kind, detail FROM event WHERE kind IN ('subscribed', 'unsubscribed')"
    told = [(str(kind), json.loads(str(text))) for name in fleet.names for kind, text in fleet.all(name, sql)]
    found: dict[str, list[tuple[int, int]]] = {}
    for kind, detail in sorted(told, key=lambda one: int(one[1]["generation"])):
        if detail["source"] != source:
            continue
        mine = found.setdefault(detail["address"].partition("@")[0], [])
        if kind == "subscribed":
            mine.append((detail["since"], OPEN))
        else:
            mine[:] = [(since, min(until, detail["until"])) for since, until in mine]
    return found


def _read(fleet: Fleet, name: str) -> list[tuple[int, str]]:
    config = fleet.stage.config
    host = config.hosts[len(name) % len(config.hosts)].address  # any host will do
    return newest(host, config.ports.imap, name, "1")[1]


def _once(where: str, marks: Iterable[str], promised: Iterable[str]) -> Iterator[str]:
    counts = Counter(marks)
    for mark in promised:
        if counts[mark] != 1:
            yield f"{where}: {mark} is there {counts[mark]} times"


def _letters(boxes: Mailboxes, promises: Promises) -> Iterator[str]:
    for name, box in boxes.items():
        address = next((a for a in promises.letters if a.startswith(f"{name}@")), "")
        yield from _once(name, (mark for _, mark in box), promises.letters[address])


def _posts(fleet: Fleet, boxes: Mailboxes, promises: Promises) -> Iterator[str]:
    """Each post has one number, and is with each follower whose interval contains it, once; with nobody else."""
    for source in SOURCES:
        numbers = dict(_numbers(fleet, source))
        yield from _once(f"numbers of {source}", numbers.values(), promises.posts[source])
        if sorted(numbers) != list(range(1, len(promises.posts[source]) + 1)):
            yield f"{source}: {len(promises.posts[source])} posts were accepted, numbered {sorted(numbers)}"
        followed = intervals(fleet, source)
        for name in (*STEADY, *RESTLESS):
            due = {
                mark
                for number, mark in numbers.items()
                if any(since <= number < until for since, until in followed.get(name, ()))
            }
            if name in STEADY:
                due = set(promises.posts[source])
            held = [mark for _, mark in boxes[name] if mark.startswith(f"post-{source}-")]
            yield from _once(name, held, due | set(held))
            if may_come_late(fleet, name, source):
                first = min((since for since, _ in followed.get(name, ())), default=OPEN)
                due |= {mark for number, mark in numbers.items() if number > first}
            yield from (f"{name}: {mark} is there and was not due" for mark in set(held) - due)
            if name in RESTLESS:
                yield from _same_end(fleet, name, source, followed.get(name, []))


def may_come_late(fleet: Fleet, name: str, source: str) -> bool:
    """A goodbye to another host travels as mail: until it is there, posts that others there get are hers too."""
    moved = any(fleet.all(host, "SELECT 1 FROM event WHERE kind = 'moved' LIMIT 1") for host in fleet.names)
    return name in RESTLESS and (moved or home(fleet, name) != home(fleet, source))


def home(fleet: Fleet, name: str) -> str:
    sql = "SELECT 1 FROM account WHERE name = ? AND NOT away"
    return next(host for host in fleet.names if fleet.all(host, sql, name))


def _same_end(fleet: Fleet, name: str, source: str, followed: list[tuple[int, int]]) -> Iterator[str]:
    """In the end her timeline thinks of her subscription as the reflector does."""
    sql = """
        SELECT 1 FROM follow f JOIN account a ON a.id = f.account
        WHERE a.name = ? AND f.source = ? AND f.from_post IS NOT NULL AND f.until_post > 1000000000
    """
    thinks = bool(fleet.all(home(fleet, name), sql, name, source))
    follows = any(until == OPEN for _, until in followed)
    if thinks != follows:
        yield f"{name} and {source}: her timeline says {thinks} to following, the reflector says {follows}"


def _numbers(fleet: Fleet, source: str) -> Iterator[tuple[int, str]]:
    """The posts of a source, as the hosts' logs have them."""
    sql = "SELECT l.post, c.header FROM post_log l JOIN body_content c ON c.id = l.body WHERE l.source = ?"
    for number, header in {row for host in fleet.names for row in fleet.all(host, sql, source)}:
        assert isinstance(header, bytes)
        subject = next(line for line in header.decode().split("\r\n") if line.startswith("Subject: "))
        yield int(str(number)), subject.removeprefix("Subject: ")


def _commands(fleet: Fleet, promises: Promises) -> Iterator[str]:
    """Each command to leave was carried out once."""
    sql = "SELECT detail FROM event WHERE kind = 'unsubscribed'"
    done = Counter(
        (detail["address"].partition("@")[0], detail["source"])
        for name in fleet.names
        for detail in (json.loads(str(row[0])) for row in fleet.all(name, sql))
    )
    for (follower, source, word), count in promises.commands.items():
        if word == "unsubscribe" and done[follower, source] != count:
            yield f"{follower} left {source} {count} times, it was carried out {done[follower, source]} times"


def _items(boxes: Mailboxes, promises: Promises) -> Iterator[str]:
    for name in ("alice", "dave"):
        yield from _once(name, (mark for _, mark in boxes[name]), promises.items)


def _uids(boxes: Mailboxes, promises: Promises) -> Iterator[str]:
    for (name, _, uid), mark in promises.seen.items():
        if (uid, mark) not in boxes[name]:
            yield f"{name}: UID {uid} was {mark}, is {dict(boxes[name]).get(uid, 'gone')}"


def _filed(fleet: Fleet, promises: Promises) -> Iterator[str]:
    """What a client's own APPEND and STORE were told OK for is there, with its flag."""
    for name in STEADY:
        sent = read_folder(fleet.stage.config.host(home(fleet, name)).address, fleet.stage.config.ports.imap, name)
        yield from _once(f"{name}'s Sent", (mark for mark, _ in sent), promises.filed[name])
        yield from (f"{name}'s Sent: {mark} is there twice" for mark, n in Counter(m for m, _ in sent).items() if n > 1)
        flagged = {mark for mark, is_flagged in sent if is_flagged}
        yield from (f"{name}'s Sent: {mark} lost its flag" for mark in promises.flagged[name] if mark not in flagged)


def _strangers(boxes: Mailboxes, promises: Promises) -> Iterator[str]:
    """Nothing else is in the mailboxes: no bounce, no control mail, nothing of somebody else's."""
    for name, box in boxes.items():
        mine = {mark for address, marks in promises.letters.items() if address.startswith(f"{name}@") for mark in marks}
        for _, mark in box:
            known = (
                mark in mine or mark.startswith(("post-", "item-", *REPLIES)) or mark in ("First light", "Second light")
            )
            if not known:
                yield f"{name}: nobody promised {mark!r}"


def _abroad(outside: Mailbox, promises: Promises) -> Iterator[str]:
    """A foreign mailbox gets each at least once (RFC 1047)."""
    had = {found.subject for found in outside.letters("zoe")}
    for mark in (*promises.letters[ZOE], *promises.posts["bob"]):
        if mark not in had:
            yield f"{ZOE}: {mark} did not arrive"

"""The life of a mirror: it asks, follows, asks again from time to time, and ends when nobody here follows any more.

Law: a mirror's state changes by its followers' wishes, by the clock, and by what its upstream has sealed; an answer
counts only for the wish whose number it names. Whatever an upstream says, it ends no subscription here.
"""

from __future__ import annotations

from dataclasses import replace

from directory.bucket import hash_of
from mail.between_fabrics import Word
from mail.tree_control import Audit
from reflector.dissolving import dissolve_branches
from reflector.letter import House
from reflector.mirror_mail import notice, wish
from reflector.mirrors import (
    ASKING,
    ENDED,
    FOLLOWING,
    LEAVING,
    NEVER,
    REFUSED,
    Mirror,
    find_mirror,
    next_wish,
    write_mirror,
)
from reflector.sources import bury_source, find_source, take_generation
from reflector.subscriptions import close_all
from reflector.tables import OPEN
from reflector.tree import LEAF
from reflector.tree_mail import Mails, branch_address, write
from store import Transaction, events

TRIES_MAX = 5  # wishes without an answer before followers are told: with the pauses between them, more than a day
SAID_AGAIN_SECONDS = 86_400
REFUSED_SECONDS = 86_400  # then asked once more, and then ever more rarely


def ask(house: House, tx: Transaction, mirror: Mirror, now: float) -> Mails:
    """Ask the upstream for its posts, once more or for the first time."""
    pause = house.settings.mirror_ask_seconds * 2**mirror.tries
    pause = min(pause, house.settings.mirror_ask_seconds_max)
    asked = replace(
        mirror,
        state=ASKING,
        wish=next_wish(mirror, now),
        tries=mirror.tries + 1,
        due=now + pause,
        renew=now + pause,
        census=0.0,
    )
    write_mirror(tx, asked)
    events.append(tx, now, "mirror-asks", source=mirror.list, tries=asked.tries)
    mails: Mails = (wish(house, asked, "subscribe", now),)
    if asked.tries == TRIES_MAX + 1:
        mails += notice(house, tx, asked, f"{mirror.fabric} does not answer.", now)
    return mails


def hear(house: House, tx: Transaction, mirror: Mirror, word: Word, now: float) -> Mails:
    """Take the upstream's answer to our last wish."""
    if word.number != mirror.wish:
        return ()
    if word.word == "following" and mirror.state in (ASKING, REFUSED):
        events.append(tx, now, "mirror-follows", source=mirror.list)
        renew = now + _renewal(house, mirror)
        write_mirror(tx, replace(mirror, state=FOLLOWING, tries=0, due=renew, renew=renew, census=0.0))
    elif word.word == "full" and mirror.state == ASKING:
        return refused(house, tx, mirror, f"{mirror.fabric} says that its list is full.", now)
    elif word.word == "left" and mirror.state == LEAVING:
        write_mirror(tx, replace(mirror, state=ENDED, due=NEVER))
    return ()


def refused(house: House, tx: Transaction, mirror: Mirror, reason: str, now: float) -> Mails:
    """The upstream does not let us follow. Followers are told once; it may think better of it."""
    pause = min(REFUSED_SECONDS * 2**mirror.tries, house.settings.mirror_renew_seconds)
    write_mirror(tx, replace(mirror, state=REFUSED, due=now + pause, renew=now + pause, census=0.0))
    events.append(tx, now, "mirror-refused", source=mirror.list, reason=reason)
    return notice(house, tx, mirror, reason, now) if mirror.tries <= 1 else ()


def followers_changed(house: House, tx: Transaction, mirror: Mirror, now: float, *, left: bool) -> None:
    """Somebody came or left: a count that is under way counts no more. Was it the last one who left?"""
    if not mirror.wants or not (left or mirror.census):
        return
    due = min(mirror.due, now + house.settings.mirror_grace_seconds)
    write_mirror(tx, replace(mirror, census=0.0, due=due))


def count(house: House, tx: Transaction, mirror: Mirror, now: float) -> Mails:
    """Ask all hosts how many follow there: followers on this host and at leaves have no row here."""
    write_mirror(tx, replace(mirror, census=now, due=now + house.settings.mirror_census_seconds))
    asked = ((host, branch_address(house, mirror.list, LEAF, host)) for host in sorted(house.directory.hosts))
    return tuple(mail for host, to in asked for mail in write(house, [to], Audit(mirror.list, host=host), now))


def reported(house: House, tx: Transaction, list_: str, now: float) -> None:
    """A host said how many follow there; once all have, nobody need wait."""
    mirror = find_mirror(tx, list_)
    if mirror and mirror.census and counted(house, tx, mirror) is not None:
        write_mirror(tx, replace(mirror, due=now))


def counted(house: House, tx: Transaction, mirror: Mirror) -> int | None:
    """Return how many follow, as the hosts have said since they were asked; None where one has not yet."""
    rows = tx.all("SELECT name, total FROM report WHERE source = ? AND at >= ?", (mirror.list, mirror.census))
    told: dict[str, int] = dict(rows)
    if not told.keys() >= house.directory.hosts.keys():
        return None
    return int(sum(told.values())) or _welcomed(house, tx, mirror)


def _welcomed(house: House, tx: Transaction, mirror: Mirror) -> int:
    """Count those whose welcome may be on its way while their host counts. Who lives on this host has hers already."""
    rows = tx.all(f"SELECT entity FROM told WHERE list = ? AND until_post = {OPEN}", (mirror.list,))
    return sum(not house.holds_timeline(entity) for (entity,) in rows)


def end(house: House, tx: Transaction, mirror: Mirror, now: float) -> Mails:
    """Nobody follows: say so upstream. What is still sent is refused at the door. The tombstone keeps the numbers."""
    left = replace(mirror, state=LEAVING, wish=next_wish(mirror, now), tries=0, due=NEVER, census=0.0)
    write_mirror(tx, left)
    source = find_source(tx, mirror.list)
    assert source is not None
    generation = take_generation(tx, mirror.list)
    close_all(tx, mirror.list, source.next_post, now)
    below = dissolve_branches(house, tx, mirror.list, source.next_post, generation, now)
    bury_source(tx, mirror.list)
    events.append(tx, now, "mirror-ended", source=mirror.list)
    return (*below, wish(house, left, "unsubscribe", now))


def say_again(house: House, tx: Transaction, mirror: Mirror, now: float) -> Mails:
    """An upstream goes on sending: our last word was lost, or it came back from a backup. Once a day, no more."""
    if mirror.state != LEAVING or now < mirror.wish / 1000 + SAID_AGAIN_SECONDS:
        return ()
    again = replace(mirror, wish=next_wish(mirror, now))
    write_mirror(tx, again)
    return (wish(house, again, "unsubscribe", now),)


def _renewal(house: House, mirror: Mirror) -> float:
    """Not all at once: each mirror has its own moment."""
    return house.settings.mirror_renew_seconds * (0.75 + hash_of(mirror.list) / 2**33)

"""Following and leaving: the interval, the word to the timeline, the newest posts.

Law: every change takes a generation of its list, and the highest wins at the timeline. Of a follower on this host, or
on one with a leaf, we hold no row, so she is told afresh each time, which does no harm; a foreign one is told by text.
"""

from __future__ import annotations

from mail.control import Goodbye, Welcome
from mail.envelope import Outgoing, Recipient
from mail.follower_rows import Row
from reflector.answers import control_mail, voice
from reflector.expansion import return_domain
from reflector.letter import Letter
from reflector.nodes import count_at_leaf, look_at
from reflector.sources import first_post, recent_posts, take_generation
from reflector.subscriptions import (
    Interval,
    Subscriber,
    change,
    last_until,
    open_interval,
    subscribe,
    unsubscribe,
)
from reflector.tables import OPEN
from reflector.texts import Text
from reflector.tokens import bounce_token
from reflector.told import note_told
from reflector.tree_mail import needs_no_row

LOOK_SECONDS = 1.0  # after a change its list is looked at: is it too long now, or short enough?

Change = tuple[Text, tuple[Outgoing, ...]]  # what to answer, and what else to send


def follow(letter: Letter, who: Subscriber, folder: str) -> Change:
    """Subscribe; once more changes nothing but the folder."""
    interval = open_interval(letter.tx, letter.source.list, who.address)
    if interval is not None:
        return _follow_again(letter, who, interval, folder)
    rowless = bool(who.entity) and needs_no_row(letter.house, letter.tx, letter.source.list, who.entity)
    if not rowless and letter.source.subscribers >= letter.house.settings.subscribers_max:
        return voice(letter).full(), ()
    return _follow_anew(letter, who, folder, rowless=rowless)


def leave(letter: Letter, who: Subscriber) -> Change:
    """Unsubscribe. A timeline is told even if we know of no interval: her `follow` row may be the only one."""
    tx, source = letter.tx, letter.source
    known = open_interval(tx, source.list, who.address) is not None
    if not known and not who.entity:
        return voice(letter).not_following(), ()
    generation = take_generation(tx, source.list)
    if known:
        unsubscribe(tx, source.list, who.address, source.next_post, generation, letter.arrival.now)
    if who.entity:
        note_told(letter, who.entity, Row(who.entity, source.next_post, generation), until=source.next_post)
        if not known:
            count_at_leaf(tx, source.list, letter.house.home(who.entity), -1)
    look_at(tx, source.list, letter.arrival.now + LOOK_SECONDS)
    letter.tell("unsubscribed", address=who.address, until=source.next_post, generation=generation)
    text = voice(letter).goodbye()
    goodbye = Goodbye(source.name, source.next_post, generation)
    return text, (control_mail(letter, [who.entity], text, goodbye),) if who.entity else ()


def _follow_anew(letter: Letter, who: Subscriber, folder: str, *, rowless: bool) -> Change:
    tx, source = letter.tx, letter.source
    generation = take_generation(tx, source.list)
    from_post = max(first_post(tx, source), last_until(tx, source.list, who.address))
    if who.entity:
        note_told(letter, who.entity, Row(who.entity, from_post, generation, folder), until=OPEN)
    if rowless:
        count_at_leaf(tx, source.list, letter.house.home(who.entity), 1)
    else:
        token = "" if who.entity else bounce_token(letter.house.key, source.list, who.address, generation)
        subscribe(tx, source.list, who, from_post, generation, token, folder)
    look_at(tx, source.list, letter.arrival.now + LOOK_SECONDS)
    letter.tell("subscribed", address=who.address, since=from_post, generation=generation)
    text = voice(letter).welcome(folder if who.entity else "")
    welcome = Welcome(source.name, from_post, generation, folder, letter.house.home(who.entity) if who.entity else "")
    controls = (control_mail(letter, [who.entity], text, welcome),) if who.entity else ()
    return text, (*controls, *_newest_posts(letter, who, from_post, generation))


def _follow_again(letter: Letter, who: Subscriber, interval: Interval, folder: str) -> Change:
    text = voice(letter).already(folder if who.entity else "")
    if not who.entity:
        return text, ()
    generation = take_generation(letter.tx, letter.source.list)
    note_told(letter, who.entity, Row(who.entity, interval.from_post, generation, folder), until=OPEN)
    change(letter.tx, letter.source.list, who.address, generation, folder)
    welcome = Welcome(letter.source.name, interval.from_post, generation, folder, letter.house.home(who.entity))
    return text, (control_mail(letter, [who.entity], text, welcome),)


def _newest_posts(letter: Letter, who: Subscriber, since: int, generation: int) -> tuple[Outgoing, ...]:
    """Send what was posted before she came, as far as it is kept; her timeline drops what it has."""
    names, source = letter.house.names, letter.source
    sender = None
    if not who.entity:
        token = bounce_token(letter.house.key, source.list, who.address, generation)
        sender = f"{source.name}+bounce.{token}@{return_domain(letter.house, source.list)}"
    recipient = Recipient(names.timeline(who.entity) if who.entity else who.address, sender)
    posts = recent_posts(letter.tx, source.list, since)
    return tuple(Outgoing(names.reflector_inside(source.name, "bounce"), (recipient,), post, True) for _, post in posts)

"""Following and leaving: the interval, the word to the timeline, the newest posts.

Law: every change takes a generation of its source, and the highest wins at the timeline. Of a local follower we hold no
row, so she is told afresh each time, which does no harm; a foreign one is told by text alone.
"""

from __future__ import annotations

from mail.control import Goodbye, Welcome
from mail.envelope import Outgoing, Recipient
from reflector.answers import control_mail, voice
from reflector.letter import Letter
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
from reflector.texts import Text
from reflector.tokens import make_token

Change = tuple[Text, tuple[Outgoing, ...]]  # what to answer, and what else to send


def follow(letter: Letter, who: Subscriber, folder: str) -> Change:
    """Subscribe; once more changes nothing but the folder."""
    interval = open_interval(letter.tx, letter.source.name, who.address)
    if interval is not None:
        return _follow_again(letter, who, interval, folder)
    here = bool(who.entity) and letter.house.holds_timeline(who.entity)
    if not here and letter.source.subscribers >= letter.house.settings.subscribers_max:
        return voice(letter).full(), ()
    return _follow_anew(letter, who, folder, here=here)


def leave(letter: Letter, who: Subscriber) -> Change:
    """Unsubscribe. A timeline is told even if we know of no interval: her `follow` row may be the only one."""
    tx, source = letter.tx, letter.source
    known = open_interval(tx, source.name, who.address) is not None
    if not known and not who.entity:
        return voice(letter).not_following(), ()
    generation = take_generation(tx, source.name)
    if known:
        unsubscribe(tx, source.name, who.address, source.next_post, generation)
    letter.tell("unsubscribed", address=who.address, until=source.next_post, generation=generation)
    text = voice(letter).goodbye()
    goodbye = Goodbye(source.name, source.next_post, generation)
    return text, (control_mail(letter, [who.entity], text, goodbye),) if who.entity else ()


def _follow_anew(letter: Letter, who: Subscriber, folder: str, *, here: bool) -> Change:
    tx, source = letter.tx, letter.source
    generation = take_generation(tx, source.name)
    from_post = max(first_post(tx, source), last_until(tx, source.name, who.address))
    if not here:
        token = "" if who.entity else _bounce_token(letter, who, generation)
        subscribe(tx, source.name, who, from_post, generation, token, folder)
    letter.tell("subscribed", address=who.address, since=from_post, generation=generation)
    text = voice(letter).welcome(folder if who.entity else "")
    welcome = Welcome(source.name, from_post, generation, folder)
    controls = (control_mail(letter, [who.entity], text, welcome),) if who.entity else ()
    return text, (*controls, *_newest_posts(letter, who, from_post, generation))


def _follow_again(letter: Letter, who: Subscriber, interval: Interval, folder: str) -> Change:
    text = voice(letter).already(folder if who.entity else "")
    if not who.entity:
        return text, ()
    generation = take_generation(letter.tx, letter.source.name)
    change(letter.tx, letter.source.name, who.address, generation, folder)
    welcome = Welcome(letter.source.name, interval.from_post, generation, folder)
    return text, (control_mail(letter, [who.entity], text, welcome),)


def _newest_posts(letter: Letter, who: Subscriber, since: int, generation: int) -> tuple[Outgoing, ...]:
    """Send what was posted before she came, as far as it is kept; her timeline drops what it has."""
    names, source = letter.house.names, letter.source.name
    sender = None if who.entity else names.reflector(source, f"bounce.{_bounce_token(letter, who, generation)}")
    recipient = Recipient(names.timeline(who.entity) if who.entity else who.address, sender)
    posts = recent_posts(letter.tx, source, since)
    return tuple(Outgoing(names.reflector_inside(source, "bounce"), (recipient,), post, True) for _, post in posts)


def _bounce_token(letter: Letter, who: Subscriber, generation: int) -> str:
    return make_token(letter.house.key, "bounce", letter.source.name, who.address, str(generation))

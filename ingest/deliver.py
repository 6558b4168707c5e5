"""What a poll found becomes mail: posts, the word to the reflector, answers to people.

Law: pure of I/O. The caller spools what is returned in the transaction that remembers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from directory.names import FabricNames
from ingest.answers import answer, back_words, failed_text, followed_text, stopped_words
from ingest.carry_out import sift_mail
from ingest.feeds import Feed
from ingest.fetched import Failed
from ingest.header_text import line_of, mail_date, unstructured
from ingest.items import Item
from ingest.passing_on import IMPORTED
from ingest.post import Voice, notice, post
from ingest.requests import Request
from mail.control import CONTROLS_MAX, Control, CreateSource, Subscribe, add_controls
from mail.envelope import Outgoing, Recipient
from mail.headers import header_line

TITLE_QUOTED_MAX = 600  # in a control field, whose line has at most 998 octets


def posts(
    names: FabricNames, items: Iterable[tuple[Item, int]], *, feed: Feed, title: str, now: float
) -> list[Outgoing]:
    """Write items to their source's reflector."""
    voice = Voice(feed.source, title, names)
    return [_to_reflector(names, feed, feed.source, post(item, name, voice, now)) for item, name in items]


def edits(
    names: FabricNames, items: Iterable[tuple[Item, int]], *, feed: Feed, title: str, now: float
) -> list[Outgoing]:
    """Write edited items to the source that those follow who asked for them, as replies to what was edited."""
    voice = Voice(feed.edits, title, names, edits_of=feed.source)
    return [_to_reflector(names, feed, feed.edits, post(item, name, voice, now)) for item, name in items]


def stopped(names: FabricNames, feed: Feed, failed: Failed, standing: str, now: float) -> Outgoing:
    """Tell a feed's followers, as a post of its own, that nothing comes of it any more."""
    subject, text = stopped_words(feed, failed.reason, standing, now)
    content = notice(Voice(feed.source, feed.title, names), subject, text, now)
    return _to_reflector(names, feed, feed.source, content)


def back_again(names: FabricNames, feed: Feed, now: float) -> Outgoing:
    """Tell them that it is back."""
    subject, text = back_words(feed)
    return _to_reflector(names, feed, feed.source, notice(Voice(feed.source, feed.title, names), subject, text, now))


def _to_reflector(names: FabricNames, feed: Feed, source: str, content: bytes) -> Outgoing:
    """What cannot be delivered comes back to the bucket's ``follow``."""
    return Outgoing(names.follow(feed.bucket), (Recipient(names.reflector_inside(source)),), content, signed=True)


def subscriptions(
    names: FabricNames, source: str, requests: Sequence[Request], *, new: CreateSource | None, now: float
) -> list[Outgoing]:
    """Write to a source's reflector: let it be, if it is new, and let these people follow it."""
    words: list[Control] = [new] if new else []
    words += [Subscribe(source, each.subscriber, each.folder, each.confirmed) for each in requests]
    return [source_mail(names, source, words[at : at + CONTROLS_MAX], now) for at in range(0, len(words), CONTROLS_MAX)]


def sifts(names: FabricNames, source: str, requests: Iterable[Request], *, now: float) -> list[Outgoing]:
    """Tell timelines which posts they are to keep: before the first one comes, as far as mail keeps an order."""
    sure = ((each, names.local_entity(each.subscriber)) for each in requests if each.confirmed)
    return [sift_mail(names, entity, source, each.only, each.without, now) for each, entity in sure if entity]


def new_source(source: str, title: str, backlog: int, owner: str = "") -> CreateSource:
    """Let there be a source; a feed posts in its own name."""
    shown = line_of(title, 200)
    while len(quote(shown, safe="@:/+.-_")) > TITLE_QUOTED_MAX:
        shown = shown[: len(shown) * 3 // 4]
    return CreateSource(source, owner=owner or source, title=shown, backlog=backlog)


def retitled(names: FabricNames, feed: Feed, title: str, *, backlog: int, now: float) -> list[Outgoing]:
    """Let a source, and the one of its edits, be called as the feed is now: to create it once more is to rename it."""
    words = [new_source(feed.source, title, backlog)]
    words += [new_source(feed.edits, edits_title(title), 0)] if feed.edits else []
    return [source_mail(names, each.source, [each], now) for each in words]


def edits_title(title: str) -> str:
    return f"{title}, edited"


def welcomes(names: FabricNames, requests: Iterable[Request], *, source: str, title: str, now: float) -> list[Outgoing]:
    """Tell those who are sure of what they asked for; the others are asked by the reflector first."""
    return [
        answer(
            names,
            to=each.subscriber,
            subject=f"You follow {line_of(title, 150)}",
            text=followed_text(names, source=source, title=title, folder=each.folder, url=each.url),
            about=each.asked_by,
            now=now,
        )
        for each in requests
        if each.confirmed and each.asked_by != IMPORTED
    ]


def regret(names: FabricNames, request: Request, reason: str, now: float) -> Outgoing:
    """Tell one person why nothing comes of her request."""
    return answer(
        names,
        to=request.subscriber,
        subject="A feed cannot be followed",
        text=failed_text(((request.url, reason),)),
        about=request.asked_by,
        now=now,
    )


def source_mail(names: FabricNames, source: str, words: Sequence[Control], now: float) -> Outgoing:
    """Write controls to a source's reflector."""
    inside = names.reflector_inside(source, "control")
    lines = [
        ("From", f"Follow <{names.follow()}>"),
        ("To", inside),
        ("Subject", unstructured(f"Followers of {source}")),
        ("Date", mail_date(now, now)),
        ("Auto-Submitted", "auto-generated"),
    ]
    head = b"".join(header_line(name, value) for name, value in lines)
    return Outgoing("", (Recipient(inside),), add_controls(head + b"\r\n", *words), signed=True)

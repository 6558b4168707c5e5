"""One poll of one feed, from the question to the transaction.

Law: validators are never saved before the items that they stand for; a poll that is cut off anywhere has not been.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass

from directory.names import FabricNames
from ingest import deliver, feeds
from ingest.feeds import Feed, Polled
from ingest.fetch import Fetcher
from ingest.fetched import Failed, Fetched, Unchanged
from ingest.identity import Seen, Verdict, judge
from ingest.items import Item, Listing, Neither, Page, Reading
from ingest.pool import Stalled, WorkerPool
from ingest.post import line_of
from ingest.room import IngestRoom
from ingest.schedule import average_gap, backed_off, interval
from ingest.urls import canonical
from mail.envelope import Outgoing
from store import Store, Transaction

ELSEWHERE_SECONDS = 300.0  # another host polls it; look again whether that is still so
LEFT_SECONDS = 60.0  # so soon comes the rest of what one poll may not post at once
TITLE_OCTETS_MAX = 200

Spool = Callable[[Transaction, Outgoing], None]


@dataclass(frozen=True, slots=True)
class Tools:
    """What polling needs of its surroundings."""

    room: IngestRoom
    store: Store
    spool: Spool
    clock: Callable[[], float]
    fetcher: Fetcher
    pool: WorkerPool
    chance: Callable[[], float] = random.random

    @property
    def names(self) -> FabricNames:
        return self.room.directory().names


@dataclass(frozen=True, slots=True)
class Found:
    """A feed's document, read: what is new in it, and what is seen from now on."""

    fetched: Fetched
    digest: bytes
    title: str
    floor: float
    gap: float
    verdict: Verdict
    items: tuple[Item, ...]
    before: tuple[Seen, ...] = ()

    def posts(self, tools: Tools, *, source: str, bucket: int, now: float) -> list[Outgoing]:
        named = zip(self.items, (name for _, name in self.verdict.send), strict=True)
        return deliver.posts(tools.names, named, source=source, title=self.title, bucket=bucket, now=now)

    def polled(self, tools: Tools, now: float, old: Feed | None) -> Polled:
        """Return what the feed's row says from now on. As long as items are left, it says the old."""
        verdict, settings = self.verdict, tools.room.settings
        floor, age = max(self.floor, self.fetched.max_age), now - old.created_at if old else 0.0
        wait = interval(gap=self.gap, floor=floor, age=age, settings=settings, chance=tools.chance())
        validators, digest = self.fetched.validators, self.digest
        if verdict.left:
            wait = min(wait, LEFT_SECONDS)
            validators, digest = (old.validators, old.digest) if old else (type(validators)(), b"")
        said = f"200, {len(verdict.send)} new" if verdict.send else "200, nothing new"
        posted = bool(verdict.send) and not verdict.left  # what is left must not look older than what was posted
        return Polled(validators, digest, self.title, self.gap, said, now, now + wait, posted)


async def poll(tools: Tools, feed: Feed) -> None:
    """Ask a feed's site once, and post what is new."""
    if not tools.room.polls(feed.bucket):
        await _write_elsewhere(tools, feed)
        return
    answer = await tools.fetcher.fetch(feed.url, feed.validators)
    match answer:
        case Failed():
            await write_failure(tools, feed, answer)
        case Unchanged():
            await _write_unchanged(tools, feed, "304, not modified", answer.max_age)
        case Fetched() if digest_of(answer) == feed.digest:
            await _write_unchanged(tools, feed, "200, the same document", answer.max_age)
        case Fetched():
            found = await read(tools, answer, feed)
            await (write_failure(tools, feed, found) if isinstance(found, Failed) else _write_found(tools, feed, found))


async def read(tools: Tools, fetched: Fetched, feed: Feed | None) -> Found | Failed:
    """Read a document as a feed (a new one, if `feed` is None), and render what is new in it."""
    now, backlog = tools.clock(), None if feed else tools.room.settings.backlog
    before = await tools.store.read(lambda reader: feeds.seen_of(reader, feed.id)) if feed else []
    try:
        async with tools.pool.reading(fetched.content, fetched.url, fetched.content_type) as document:
            listing = document.reading
            if not isinstance(listing, Listing):
                return Failed(reason_of(listing), temporary=False)
            last_post_at = feed.last_post_at if feed else 0.0
            day = int(now // feeds.DAY)
            verdict = judge(listing.items, before, day=day, last_post_at=last_post_at, backlog=backlog)
            items = tuple(await document.render([place for place, _ in verdict.send]))
    except Stalled as stalled:
        return Failed(str(stalled), temporary=False)
    return Found(
        fetched=fetched,
        digest=digest_of(fetched),
        title=line_of(listing.title, TITLE_OCTETS_MAX) or canonical(fetched.url).host,
        floor=listing.floor_seconds,
        gap=average_gap((each.date for each in listing.items), now),
        verdict=verdict,
        items=items,
        before=tuple(before),
    )


def digest_of(fetched: Fetched) -> bytes:
    return hashlib.blake2b(fetched.content, digest_size=16).digest()


def reason_of(reading: Reading) -> str:
    """Say why a document cannot be followed."""
    match reading:
        case Page():
            return "it is a page that names no feed"
        case Neither(reason):
            return reason
    return ""


async def write_failure(tools: Tools, feed: Feed, failed: Failed) -> None:
    """Remember that a poll brought nothing, and wait longer."""
    now = tools.clock()
    wait = backed_off(feed.errors + 1, failed.retry_after, tools.room.settings, tools.chance())
    await tools.store.write(
        lambda tx: feeds.store_failure(tx, feed.id, said=failed.reason, at=now, next_due=now + wait)
    )


async def _write_elsewhere(tools: Tools, feed: Feed) -> None:
    now = tools.clock()
    until = now + ELSEWHERE_SECONDS
    await tools.store.write(lambda tx: tx.execute("UPDATE feed SET next_due = ? WHERE id = ?", (until, feed.id)))


async def _write_unchanged(tools: Tools, feed: Feed, said: str, max_age: float) -> None:
    now = tools.clock()
    age, settings = now - feed.created_at, tools.room.settings
    wait = interval(gap=feed.gap, floor=max_age, age=age, settings=settings, chance=tools.chance())
    polled = Polled(feed.validators, feed.digest, feed.title, feed.gap, said, now, now + wait)
    await tools.store.write(lambda tx: feeds.store_poll(tx, feed.id, polled))


async def _write_found(tools: Tools, feed: Feed, found: Found) -> None:
    now = tools.clock()
    outgoing = found.posts(tools, source=feed.source, bucket=feed.bucket, now=now)
    polled = found.polled(tools, now, feed)

    def settle(tx: Transaction) -> None:
        for each in outgoing:
            tools.spool(tx, each)
        feeds.remember(tx, feed.id, found.verdict.mark, found.before)
        feeds.store_poll(tx, feed.id, polled)

    await tools.store.write(settle)

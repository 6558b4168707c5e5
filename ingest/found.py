"""A document, read: what is new in it, what was edited, what is seen from now on.

Law: reading changes nothing; a document that cannot be read is a reason, not an exception.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ingest import deliver, feeds
from ingest.feeds import Feed
from ingest.fetched import Failed, Fetched
from ingest.header_text import line_of
from ingest.identity import Verdict, judge, recall
from ingest.items import Item, Listing, Neither, Page, Reading
from ingest.links import hub_and_topic
from ingest.pool import Stalled
from ingest.schedule import average_gap
from ingest.seen import Seen
from ingest.tools import Tools
from ingest.urls import canonical
from mail.envelope import Outgoing

TITLE_OCTETS_MAX = 200


@dataclass(frozen=True, slots=True)
class Found:
    """`items`: those that are sent, then those that were edited and are told of."""

    fetched: Fetched
    digest: bytes
    title: str
    floor: float
    skip: int
    gap: float
    verdict: Verdict
    items: tuple[Item, ...]
    before: tuple[Seen, ...] = ()
    push: tuple[str, str] = ("", "")  # hub and topic

    def posts(self, tools: Tools, feed: Feed, now: float) -> list[Outgoing]:
        """Write what is new, and what was edited where somebody asked for that."""
        count = len(self.verdict.send)
        new = zip(self.items[:count], (name for _, name in self.verdict.send), strict=True)
        edited = zip(self.items[count:], (name for _, name in self.verdict.edited), strict=False)
        return [
            *deliver.posts(tools.names, new, feed=feed, title=self.title, now=now),
            *deliver.edits(tools.names, edited, feed=feed, title=self.title, now=now),
        ]


async def read(tools: Tools, fetched: Fetched, feed: Feed | None, digest: bytes = b"") -> Found | Failed:
    """Read a document as a feed (a new one, if `feed` is None), and render what is new in it. `digest`: if known."""
    now, backlog = tools.clock(), None if feed else tools.room.settings.backlog
    before = feeds.seen_of(tools.store.reader, feed.id) if feed else []
    known = [each.raw for each in before if each.raw is not None]
    try:
        async with tools.pool.reading(fetched.content, fetched.url, fetched.content_type, known) as document:
            listing = document.reading
            if not isinstance(listing, Listing):
                return Failed(reason_of(listing), temporary=False)
            last_post_at, day = feed.last_post_at if feed else 0.0, int(now // feeds.DAY)
            listed = recall(listing.items, before)
            verdict = judge(listed, before, day=day, last_post_at=last_post_at, backlog=backlog)
            told = (*verdict.send, *(verdict.edited if feed and feed.edits else ()))
            items = tuple(await document.render([place for place, _ in told]))
    except Stalled as stalled:
        return Failed(str(stalled), temporary=False)
    return Found(
        fetched=fetched,
        digest=digest or digest_of(fetched.content),
        title=line_of(listing.title, TITLE_OCTETS_MAX) or canonical(fetched.url).host,
        floor=listing.floor_seconds,
        skip=listing.skip,
        gap=average_gap((each.date for each in listing.items), now),
        verdict=verdict,
        items=items,
        before=tuple(before),
        push=hub_and_topic(fetched.url, fetched.links, listing.links),
    )


def digest_of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def reason_of(reading: Reading) -> str:
    """Say why a document cannot be followed."""
    match reading:
        case Page():
            return "it is a page that names no feed; if it links to one (RSS, Atom), send that link"
        case Neither(reason):
            return reason
    return ""

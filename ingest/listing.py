"""What the command shows and does: ``feed list``, ``feed show``, ``feed poll``, ``feed suspend``.

Law: reads and small writes, each a plain function of a Reader or a Transaction; nothing here is formatted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ingest.feeds import NEVER
from ingest.seen import unpack
from ingest.urls import BadUrl, canonical
from store import Reader, Transaction

PAGE_FEEDS = 1_000
_WHICH = "(source = ? OR url = ?)"


@dataclass(frozen=True, slots=True)
class FeedLine:
    """A feed as its operator sees it. Times are seconds since 1970, 0 for never; `items`: how many are remembered."""

    source: str
    title: str
    url: str
    bucket: int
    next_due: float
    errors: int
    last_at: float
    last_answer: str
    last_post_at: float
    gap: float
    standing: str
    followers: int
    floor: float
    items: int
    fulltext: bool = False


_SELECT = (
    "SELECT source, title, url, bucket, next_due, errors, last_at, last_answer, last_post_at, gap, "
    "standing, followers, floor, coalesce((SELECT items FROM feed_seen WHERE feed_seen.feed = feed.id), x''), fulltext "
    "FROM feed "
)


def feed_list(reader: Reader, after: str = "", limit: int = PAGE_FEEDS) -> list[FeedLine]:
    """Return feeds in order of their sources' names, those after one name."""
    rows = reader.all(_SELECT + "WHERE source > ? ORDER BY source LIMIT ?", (after, limit))
    return [_line(row) for row in rows]


def due(reader: Reader, now: float, late: float) -> tuple[int, int, int]:
    """Return how many feeds are polled here, how many of them are due, and how many were due before `late`."""
    row = reader.one(
        "SELECT (SELECT count(*) FROM feed WHERE next_due < ?), (SELECT count(*) FROM feed WHERE next_due <= ?),"
        " (SELECT count(*) FROM feed WHERE next_due <= ?)",
        (NEVER, now, late),
    )
    assert row is not None
    return row[0], row[1], row[2]


def feed_show(reader: Reader, which: str) -> FeedLine | None:
    """Return the feed of a source's name or of an address."""
    row = reader.one(_SELECT + "WHERE source = ? OR url = ?", (which, _url(which)))
    return _line(row) if row else None


@dataclass(frozen=True, slots=True)
class HubLine:
    """What a feed's hub does: asked `tries` times since it answered; `lease_until`: 0 where it does not ring."""

    hub: str
    tries: int
    next_due: float
    lease_until: float
    told_at: float
    proven: bool


def hub_of(reader: Reader, source: str) -> HubLine | None:
    """Return what the hub of a feed does, by the feed's source; None where it names none."""
    row = reader.one(
        "SELECT hub, tries, push.next_due, lease_until, told_at, proven FROM push JOIN feed ON feed.id = push.feed"
        " WHERE source = ?",
        (source,),
    )
    return HubLine(*(*row[:-1], bool(row[-1]))) if row else None


def feed_poll(tx: Transaction, which: str, now: float) -> bool:
    """Make a feed due now; False where there is none that is polled. Wake the poller after the commit."""
    sql = f"UPDATE feed SET next_due = ? WHERE {_WHICH} AND standing NOT IN ('asleep', 'suspended', 'leaving')"
    return tx.execute(sql, (now, which, _url(which))).rowcount > 0


def feed_suspend(tx: Transaction, which: str) -> bool:
    """Poll a feed no more; False where there is none."""
    sql = f"UPDATE feed SET standing = 'suspended', next_due = {NEVER} WHERE {_WHICH}"
    return tx.execute(sql, (which, _url(which))).rowcount > 0


def feed_resume(tx: Transaction, which: str, now: float) -> bool:
    """Poll a suspended feed from now on, unless nobody follows it; False where there is none."""
    sql = f"""
        UPDATE feed SET standing = CASE followers WHEN 0 THEN 'asleep' ELSE '' END,
        next_due = ? WHERE {_WHICH} AND standing = 'suspended'
    """
    return tx.execute(sql, (now, which, _url(which))).rowcount > 0


def feed_articles(tx: Transaction, which: str, wanted: bool) -> bool:
    """Let a feed be posted with whole articles, or not any more; False where there is none."""
    return tx.execute(f"UPDATE feed SET fulltext = ? WHERE {_WHICH}", (wanted, which, _url(which))).rowcount > 0


def _line(row: tuple[Any, ...]) -> FeedLine:
    return FeedLine(*(*row[:-2], len(unpack(row[-2])), bool(row[-1])))


def _url(which: str) -> str:
    try:
        return canonical(which).text
    except BadUrl:
        return which

"""The feeds that this host polls: the rows of `feed`, and what hangs on them.

Law: one row is changed by one poll at a time, and everything that a poll changes is changed in one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ingest.fetched import Validators
from ingest.seen import Seen, pack, unpack
from store import Reader, Transaction

DAY = 86_400
KEPT_DAYS = 400  # after an item was last listed: items came back after 70 days, elsewhere after 260
REFRESHED_DAYS = 7  # so precise is `day`: an unchanged document writes nothing
SEEN_MAX = 5_000  # of one feed: one that gives everything a new guid with every poll must not fill the disk

DUE_WINDOW = 2_000  # of what is due, so much is looked at (a few ms)
NEVER = 1e12  # `next_due` of what is not polled

Source = Reader | Transaction


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as a poll needs it. `gap`: mean seconds between its items; `errors`: failed polls in a row.

    `floor`, `skip`, `standing`, `followers`, `edits`, `fulltext`, `counted_at`: see `tables.py`.
    """

    id: int
    url: str
    domain: str
    bucket: int
    source: str
    title: str
    validators: Validators
    digest: bytes
    gap: float
    errors: int
    last_post_at: float
    created_at: float
    floor: float
    skip: int
    standing: str
    failing_since: float
    followers: int
    edits: str
    fulltext: bool = False
    counted_at: float = 0.0
    next_due: float = 0.0

    def quiet(self, now: float) -> float:
        """Return for how long nothing new came."""
        return now - max(self.last_post_at, self.created_at)


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll leaves behind in the feed's row."""

    validators: Validators
    digest: bytes
    title: str
    gap: float
    said: str
    at: float
    next_due: float
    floor: float = 0.0
    skip: int = 0
    posted: bool = False


_COLUMNS = (
    "id, url, domain, bucket, source, title, etag, modified, found_at, digest, gap, errors, last_post_at, created_at, "
    "floor, skip, standing, failing_since, followers, edits, fulltext, counted_at, next_due"
)

# The last follower may leave, or the operator suspend it, in the middle of a poll.
_RESTS = "CASE WHEN standing IN ('asleep', 'suspended', 'leaving') THEN"


def by_url(source: Source, url: str) -> Feed | None:
    """Return the feed at an address, or the one that was there once."""
    row = source.one(f"SELECT {_COLUMNS} FROM feed WHERE url = ?", (url,))
    if row is None:
        former = "SELECT feed FROM former_url WHERE url = ?"
        row = source.one(f"SELECT {_COLUMNS} FROM feed WHERE id = ({former})", (url,))
    return _feed(row) if row else None


def by_source(source: Source, name: str) -> Feed | None:
    row = source.one(f"SELECT {_COLUMNS} FROM feed WHERE source = ?", (name,))
    return _feed(row) if row else None


def by_id(source: Source, feed: int) -> Feed | None:
    row = source.one(f"SELECT {_COLUMNS} FROM feed WHERE id = ?", (feed,))
    return _feed(row) if row else None


def is_taken(source: Source, name: str) -> bool:
    """Tell whether a source of ours has this name."""
    return source.one("SELECT 1 FROM feed WHERE source = ? OR edits = ?", (name, name)) is not None


def due(reader: Reader, now: float, limit: int, but: Collection[str] = ()) -> list[Feed]:
    """Return feeds whose time has come, the longest waiting first, one per registrable domain, and none of those that
    rest or of `but`."""
    rows = reader.all(
        f"SELECT {_COLUMNS}, min(next_due) FROM (SELECT * FROM feed WHERE next_due <= ? "
        "AND domain NOT IN (SELECT domain FROM resting WHERE until > ?) "
        f"AND domain NOT IN ({', '.join('?' * len(but))}) ORDER BY next_due LIMIT ?) "
        "GROUP BY domain ORDER BY min(next_due) LIMIT ?",
        (now, now, *but, DUE_WINDOW, limit),
    )
    return [_feed(row[:-1]) for row in rows]


def next_due(reader: Reader, now: float) -> float | None:
    """Return when the next feed or request comes due after now."""
    sql = "SELECT min({0}) FROM {1} WHERE {0} > ?"
    columns = (("next_due", "feed"), ("next_due", "request"), ("until", "resting"))
    times = [row[0] for each in columns if (row := reader.one(sql.format(*each), (now,)))]
    return min((time for time in times if time is not None), default=None)


def create(tx: Transaction, *, url: str, domain: str, bucket: int, source: str, title: str, now: float) -> int:
    """Begin to poll a feed; `store_poll` follows in the same transaction."""
    return tx.insert(
        "INSERT INTO feed (url, domain, bucket, source, title, created_at, next_due) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (url, domain, bucket, source, title, now, now),
    )


def store_poll(tx: Transaction, feed: int, polled: Polled) -> None:
    """Write down that a poll went well."""
    tx.execute(
        "UPDATE feed SET etag = ?, modified = ?, found_at = CASE url WHEN ? THEN '' ELSE ? END, digest = ?, title = ?, "
        "gap = ?, floor = ?, skip = ?, errors = 0, failing_since = 0, last_at = ?, last_answer = ?, "
        f"standing = {_RESTS} standing ELSE '' END, next_due = {_RESTS} next_due ELSE ? END, "
        "last_post_at = CASE WHEN ? THEN ? ELSE last_post_at END WHERE id = ?",
        (
            polled.validators.etag,
            polled.validators.modified,
            polled.validators.url,
            polled.validators.url,
            polled.digest,
            polled.title,
            polled.gap,
            polled.floor,
            polled.skip,
            polled.at,
            polled.said,
            polled.next_due,
            polled.posted,
            polled.at,
            feed,
        ),
    )


def store_failure(tx: Transaction, feed: int, *, said: str, at: float, next_due: float, standing: str) -> None:
    """Write down that a poll brought nothing."""
    tx.execute(
        "UPDATE feed SET errors = errors + 1, last_at = ?, last_answer = ?, "
        f"next_due = {_RESTS} next_due ELSE ? END, standing = {_RESTS} standing ELSE ? END, "
        "failing_since = CASE failing_since WHEN 0 THEN ? ELSE failing_since END WHERE id = ?",
        (at, said[:500], next_due, standing, at, feed),
    )


def again(tx: Transaction, feed: int, at: float) -> None:
    """Poll a feed at a time, unless it is due before; one that sleeps is not woken."""
    tx.execute("UPDATE feed SET next_due = min(next_due, ?) WHERE id = ? AND standing = ''", (at, feed))


def followed_by(tx: Transaction, feed: Feed, followers: int, now: float) -> None:
    """Hear how many follow: a feed is not polled for nobody, and at once for who comes first."""
    asleep = "asleep" if followers == 0 else "" if feed.standing == "asleep" else feed.standing
    due = now + DAY if followers == 0 else now if feed.standing == "asleep" else None
    if feed.standing in ("suspended", "leaving"):
        asleep, due = feed.standing, None
    tx.execute(
        "UPDATE feed SET followers = ?, standing = ?, next_due = coalesce(?, next_due) WHERE id = ?",
        (followers, asleep, due, feed.id),
    )


def tell_edits(tx: Transaction, feed: int, source: str) -> None:
    """Post edited items, too, from now on: to a source of their own."""
    tx.execute("UPDATE feed SET edits = ? WHERE id = ?", (source, feed))


def want_articles(tx: Transaction, feed: int) -> None:
    """Post whole articles from now on."""
    tx.execute("UPDATE feed SET fulltext = 1 WHERE id = ?", (feed,))


def seen_of(source: Source, feed: int) -> list[Seen]:
    """Return all that was seen of a feed."""
    row = source.one("SELECT items FROM feed_seen WHERE feed = ?", (feed,))
    return unpack(row[0]) if row else []


def remember(tx: Transaction, feed: int, marks: Sequence[Seen], before: Iterable[Seen]) -> None:
    """Write what is seen from now on, if it differs from before, and let go of what is long gone."""
    known = {each.item: each for each in before}
    if not any(_differs(mark, known.get(mark.item)) for mark in marks):
        return
    known |= {mark.item: mark for mark in marks}
    oldest = marks[0].day - KEPT_DAYS
    kept = sorted((each for each in known.values() if each.day >= oldest), key=lambda each: -each.day)[:SEEN_MAX]
    tx.execute("INSERT OR REPLACE INTO feed_seen (feed, items) VALUES (?, ?)", (feed, pack(kept)))


def _differs(mark: Seen, before: Seen | None) -> bool:
    return before is None or mark.day - before.day >= REFRESHED_DAYS or mark._replace(day=before.day) != before


def _feed(row: tuple[object, ...]) -> Feed:
    number, url, domain, bucket, source, title, etag, modified, found_at, digest, gap, errors, *rest = row
    last_post_at, created_at, floor, skip, standing, failing_since, followers, edits, *last = rest
    fulltext, counted_at, due = last
    assert isinstance(etag, bytes) and isinstance(modified, bytes) and isinstance(digest, bytes)
    return Feed(
        id=int(str(number)),
        url=str(url),
        domain=str(domain),
        bucket=int(str(bucket)),
        source=str(source),
        title=str(title),
        validators=Validators(etag, modified, str(found_at)),
        digest=digest,
        gap=float(str(gap)),
        errors=int(str(errors)),
        last_post_at=float(str(last_post_at)),
        created_at=float(str(created_at)),
        floor=float(str(floor)),
        skip=int(str(skip)),
        standing=str(standing),
        failing_since=float(str(failing_since)),
        followers=int(str(followers)),
        edits=str(edits),
        fulltext=bool(fulltext),
        counted_at=float(str(counted_at)),
        next_due=float(str(due)),
    )

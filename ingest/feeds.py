"""The feeds that this host polls: the rows of `feed` and `seen`.

Law: one row is changed by one poll at a time, and everything that a poll changes is changed in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ingest.fetched import Validators
from ingest.identity import Seen
from store import Reader, Transaction

DAY = 86_400
KEPT_DAYS = 400  # after an item was last listed: items came back after 70 days, elsewhere after 260
REFRESHED_DAYS = 7  # so precise is `day`: an unchanged document writes nothing
SEEN_MAX = 5_000  # of one feed: one that gives everything a new guid with every poll must not fill the disk

DUE_WINDOW = (
    2_000  # of what is due, so much is looked at (a few ms); only a site with more feeds due at once makes others wait
)

Source = Reader | Transaction


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as a poll needs it. `gap`: mean seconds between its items; `errors`: failed polls in a row."""

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
    posted: bool = False


_COLUMNS = "id, url, domain, bucket, source, title, etag, modified, digest, gap, errors, last_post_at, created_at"


def by_url(source: Source, url: str) -> Feed | None:
    row = source.one(f"SELECT {_COLUMNS} FROM feed WHERE url = ?", (url,))
    return _feed(row) if row else None


def by_id(source: Source, feed: int) -> Feed | None:
    row = source.one(f"SELECT {_COLUMNS} FROM feed WHERE id = ?", (feed,))
    return _feed(row) if row else None


def is_taken(source: Source, name: str) -> bool:
    """Tell whether a source of ours has this name."""
    return source.one("SELECT 1 FROM feed WHERE source = ?", (name,)) is not None


def due(reader: Reader, now: float, limit: int) -> list[Feed]:
    """Return feeds whose time has come, the longest waiting first, one per registrable domain."""
    rows = reader.all(
        f"SELECT {_COLUMNS}, min(next_due) FROM (SELECT * FROM feed WHERE next_due <= ? ORDER BY next_due LIMIT ?) "
        "GROUP BY domain ORDER BY min(next_due) LIMIT ?",
        (now, DUE_WINDOW, limit),
    )
    return [_feed(row[:-1]) for row in rows]


def next_due(reader: Reader, now: float) -> float | None:
    """Return when the next feed or request comes due after now."""
    sql = "SELECT min(next_due) FROM {} WHERE next_due > ?"
    times = [row[0] for table in ("feed", "request") if (row := reader.one(sql.format(table), (now,)))]
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
        "UPDATE feed SET etag = ?, modified = ?, digest = ?, title = ?, gap = ?, errors = 0, last_at = ?, "
        "last_answer = ?, next_due = ?, last_post_at = CASE WHEN ? THEN ? ELSE last_post_at END WHERE id = ?",
        (
            polled.validators.etag,
            polled.validators.modified,
            polled.digest,
            polled.title,
            polled.gap,
            polled.at,
            polled.said,
            polled.next_due,
            polled.posted,
            polled.at,
            feed,
        ),
    )


def store_failure(tx: Transaction, feed: int, *, said: str, at: float, next_due: float) -> None:
    """Write down that a poll brought nothing."""
    tx.execute(
        "UPDATE feed SET errors = errors + 1, last_at = ?, last_answer = ?, next_due = ? WHERE id = ?",
        (at, said[:500], next_due, feed),
    )


def seen_of(source: Source, feed: int) -> list[Seen]:
    """Return all that was seen of a feed."""
    return [
        Seen(*row)
        for row in source.all(
            "SELECT item, CASE k1 WHEN 1 THEN item ELSE k1 END, k2, k3, day FROM seen_item WHERE feed = ?", (feed,)
        )
    ]


def remember(tx: Transaction, feed: int, marks: Iterable[Seen], before: Iterable[Seen]) -> None:
    """Write what is seen from now on, as far as it differs from before, and let go of what is long gone."""
    known = {each.item: each for each in before}
    changed = [mark for mark in marks if _differs(mark, known.get(mark.item))]
    tx.executemany(
        "INSERT OR REPLACE INTO seen_item (feed, item, k1, k2, k3, day) VALUES (?, ?, ?, ?, ?, ?)",
        [(feed, m.item, 1 if m.k1 == m.item else m.k1, m.k2, m.k3, m.day) for m in changed],
    )
    if changed:
        tx.execute("DELETE FROM seen_item WHERE feed = ? AND day < ?", (feed, changed[0].day - KEPT_DAYS))
    if len(known) + len(changed) > SEEN_MAX:
        tx.execute(
            "DELETE FROM seen_item WHERE feed = ? AND item NOT IN "
            "(SELECT item FROM seen_item WHERE feed = ? ORDER BY day DESC LIMIT ?)",
            (feed, feed, SEEN_MAX),
        )


def _differs(mark: Seen, before: Seen | None) -> bool:
    if before is None or mark.day - before.day >= REFRESHED_DAYS:
        return True
    return (mark.k1, mark.k2, mark.k3) != (before.k1, before.k2, before.k3)


def _feed(row: tuple[object, ...]) -> Feed:
    number, url, domain, bucket, source, title, etag, modified, digest, gap, errors, last_post_at, created_at = row
    assert isinstance(etag, bytes) and isinstance(modified, bytes) and isinstance(digest, bytes)
    return Feed(
        id=int(str(number)),
        url=str(url),
        domain=str(domain),
        bucket=int(str(bucket)),
        source=str(source),
        title=str(title),
        validators=Validators(etag, modified),
        digest=digest,
        gap=float(str(gap)),
        errors=int(str(errors)),
        last_post_at=float(str(last_post_at)),
        created_at=float(str(created_at)),
    )

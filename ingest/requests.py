"""What people asked for, until it is done: the rows of `request` and `heard`.

Law: a request is taken in the transaction that took its mail, and let go in the one that answers it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ingest.urls import canonical
from mail.control import FollowFeed, Sift
from store import Reader, Transaction

ALL = Sift()  # no words: every post
WAITING_MAX = 20_000  # rows; at 2 a second a host works them off within 3 hours
WAITING_PER_SUBSCRIBER_MAX = 200  # ten mails' worth
# Who is not signed in may be somebody else: so many addresses a day lead to a request for confirmation, and one mail
# a day is answered. For all of them together as many as the feeds that one host can add without feeling it, and as many
# answers: each may go to somebody who never wrote.
UNCONFIRMED_PER_DAY_MAX = 5
UNCONFIRMED_PER_DAY_ALL_MAX = 2_000
ANSWERS_PER_DAY_MAX = 1
DUE_WINDOW = 2_000  # of what is due, so much is looked at (a few ms)
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Request:
    """One row. `direct`: take the address as it is. `asked_by`: the Message-ID of the mail that asked."""

    id: int
    url: str
    domain: str
    bucket: int
    subscriber: str
    folder: str
    confirmed: bool
    direct: bool
    asked_by: str
    tries: int
    edits: bool = False
    only: str = ""
    without: str = ""
    fulltext: bool = False


_COLUMNS = (
    "id, url, domain, bucket, subscriber, folder, confirmed, direct, asked_by, tries, edits, only_words, "
    "without_words, fulltext"
)


def has_room(source: Reader | Transaction, subscriber: str) -> bool:
    """Tell whether one more mail of requests may be taken."""
    total = source.one("SELECT count(*) FROM request")
    own = source.one("SELECT count(*) FROM request WHERE subscriber = ?", (subscriber,))
    assert total and own
    return bool(total[0] < WAITING_MAX and own[0] < WAITING_PER_SUBSCRIBER_MAX)


def take(
    tx: Transaction,
    wanted: FollowFeed,
    *,
    bucket: int,
    direct: bool,
    asked_by: str,
    now: float,
    sift: Sift = ALL,
) -> None:
    """Remember a request. The same once more only changes its folder and words, and never takes a confirmation
    back."""
    tx.execute(
        "INSERT INTO request "
        "(url, domain, bucket, subscriber, folder, confirmed, direct, asked_by, created_at, next_due, edits, "
        "only_words, without_words, fulltext) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (url, subscriber) DO UPDATE SET folder = excluded.folder, "
        "confirmed = max(confirmed, excluded.confirmed), edits = max(edits, excluded.edits), "
        "fulltext = max(fulltext, excluded.fulltext), "
        "asked_by = excluded.asked_by, only_words = excluded.only_words, without_words = excluded.without_words",
        (
            wanted.url,
            canonical(wanted.url).domain,
            bucket,
            wanted.subscriber,
            wanted.folder,
            wanted.confirmed,
            direct,
            asked_by[:500],
            now,
            now,
            wanted.edits,
            sift.only,
            sift.without,
            wanted.fulltext and wanted.confirmed,
        ),
    )


def due(reader: Reader, now: float, limit: int, but: Collection[str] = ()) -> list[Request]:
    """Return requests whose time has come, the longest waiting first, one per domain, and none of `but`."""
    rows = reader.all(
        f"SELECT {_COLUMNS}, min(next_due) FROM (SELECT * FROM request WHERE next_due <= ? "
        f"AND domain NOT IN ({', '.join('?' * len(but))}) ORDER BY next_due LIMIT ?) "
        "GROUP BY domain ORDER BY min(next_due) LIMIT ?",
        (now, *but, DUE_WINDOW, limit),
    )
    return [_request(row[:-1]) for row in rows]


def for_url(tx: Transaction, url: str) -> list[Request]:
    """Return all requests for an address: one fetch answers them all."""
    return [_request(row) for row in tx.all(f"SELECT {_COLUMNS} FROM request WHERE url = ? ORDER BY id", (url,))]


def postpone(tx: Transaction, url: str, *, tries: int, until: float) -> None:
    tx.execute("UPDATE request SET tries = ?, next_due = ? WHERE url = ?", (tries, until, url))


def drop(tx: Transaction, requests: Iterable[Request]) -> None:
    tx.executemany("DELETE FROM request WHERE id = ?", [(each.id,) for each in requests])


def forget(tx: Transaction, url: str, subscriber: str) -> None:
    """Somebody wants nothing of an address any more."""
    tx.execute("DELETE FROM request WHERE url = ? AND subscriber = ?", (url, subscriber))


def may_ask(tx: Transaction, address: str, now: float) -> bool:
    """Count one unconfirmed request of an address; False where it, or all of them, had their share of the day."""
    day = _today(tx, now)
    return _count(tx, "requests", address, day, UNCONFIRMED_PER_DAY_MAX)


def may_be_answered(tx: Transaction, address: str, now: float) -> bool:
    """Count one answer to an address that may be forged; False where it, or all of them, had their share of the day."""
    return _count(tx, "answers", address, _today(tx, now), ANSWERS_PER_DAY_MAX)


def _today(tx: Transaction, now: float) -> int:
    day = int(now // DAY)
    tx.execute("DELETE FROM heard WHERE day < ?", (day,))
    return day


def _count(tx: Transaction, column: str, address: str, day: int, most: int) -> bool:
    row = tx.one(f"SELECT {column} FROM heard WHERE day = ? AND address = ?", (day, address))
    everybody = tx.one(f"SELECT total({column}) FROM heard WHERE day = ?", (day,))
    if (row and row[0] >= most) or (everybody and everybody[0] >= UNCONFIRMED_PER_DAY_ALL_MAX):
        return False
    tx.execute("INSERT OR IGNORE INTO heard (address, day, requests, answers) VALUES (?, ?, 0, 0)", (address, day))
    tx.execute(f"UPDATE heard SET {column} = {column} + 1 WHERE day = ? AND address = ?", (day, address))
    return True


def _request(row: tuple[object, ...]) -> Request:
    number, url, domain, bucket, subscriber, folder, confirmed, direct, asked_by, tries, edits, *words = row
    only, without, fulltext = words
    return Request(
        int(str(number)),
        str(url),
        str(domain),
        int(str(bucket)),
        str(subscriber),
        str(folder),
        bool(confirmed),
        bool(direct),
        str(asked_by),
        int(str(tries)),
        bool(edits),
        str(only),
        str(without),
        bool(fulltext),
    )

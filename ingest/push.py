"""Hubs that tell us when a feed has news (W3C WebSub): what we asked of them, what they may say. The rows of `push`.

Law: a hub's word is a hint and no more: it makes the feed due, and what is posted is what the poll then reads. A hub is
trusted to be quick only while it is: news that a poll finds by itself takes its proof away.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from ingest import feeds
from ingest.fetched import WEEK
from store import Reader, Transaction

TOKEN_OCTETS = 18  # 144 bits: who does not know the callback's address finds none
SECRET_OCTETS = 32  # W3C WebSub 5.1: less than 200 octets
LEASE_SECONDS = 10 * 86_400.0  # what we ask for; what the hub grants counts
LEASE_SECONDS_MIN, LEASE_SECONDS_MAX = 3_600.0, 30 * 86_400.0
RENEWED = 0.8  # of a lease, and it is asked for again
VERIFY_SECONDS = 3_600.0  # a hub that has not asked back by then is asked again, then after twice as long ...
TRIES_DOUBLED_MAX = 8
NEWS_SECONDS_MIN = 60.0  # between two polls of one feed, however often its hub rings
BACKUP_SECONDS = 6 * 3_600.0  # how often a feed with a proven hub is polled all the same

_DIGESTS = frozenset({"sha1", "sha256", "sha384", "sha512"})  # W3C WebSub 7.1


@dataclass(frozen=True, slots=True)
class Push:
    """One row. `topic`: what the hub calls the feed; `token`: the secret part of our callback's address."""

    feed: int
    hub: str
    topic: str
    token: str
    secret: str
    tries: int


_COLUMNS = "feed, hub, topic, token, secret, tries"


def heard(tx: Transaction, feed: int, hub: str, topic: str, *, now: float, octets: Callable[[int], bytes]) -> None:
    """Remember which hub a document names ("": none). Another hub, or another topic, is another subscription."""
    row = tx.one("SELECT hub, topic FROM push WHERE feed = ?", (feed,))
    if row == (hub, topic) or not (row or hub):
        return
    tx.execute("DELETE FROM push WHERE feed = ?", (feed,))
    if hub:
        token, secret = octets(TOKEN_OCTETS).hex(), octets(SECRET_OCTETS).hex()
        tx.execute(
            "INSERT INTO push (feed, hub, topic, token, secret, next_due) VALUES (?, ?, ?, ?, ?, ?)",
            (feed, hub, topic, token, secret, now),
        )


def due(reader: Reader, now: float, limit: int) -> list[Push]:
    """Return what is to be asked for, or asked for again; not for feeds that are not polled."""
    rows = reader.all(
        f"SELECT {_COLUMNS} FROM push WHERE next_due <= ? AND feed IN (SELECT id FROM feed WHERE standing = '') "
        "ORDER BY next_due LIMIT ?",
        (now, limit),
    )
    return [Push(*row) for row in rows]


def next_due(reader: Reader, now: float) -> float | None:
    row = reader.one("SELECT min(next_due) FROM push WHERE next_due > ?", (now,))
    return row[0] if row else None


def asked(tx: Transaction, push: Push, now: float) -> None:
    """A hub was asked; it answers by asking back, or not at all."""
    wait = min(VERIFY_SECONDS * 2 ** min(push.tries, TRIES_DOUBLED_MAX), WEEK)
    sql = "UPDATE push SET tries = tries + 1, next_due = ? WHERE feed = ? AND token = ?"
    tx.execute(sql, (now + wait, push.feed, push.token))


def granted(tx: Transaction, token: str, topic: str, lease: float, now: float) -> bool:
    """Believe a hub that asks back (W3C WebSub 5.3), if we asked for that; False otherwise."""
    lease = max(LEASE_SECONDS_MIN, min(lease or LEASE_SECONDS, LEASE_SECONDS_MAX))
    done = tx.execute(
        "UPDATE push SET tries = 0, lease_until = ?, next_due = ? WHERE token = ? AND topic = ?",
        (now + lease, now + lease * RENEWED, token, topic),
    )
    return done.rowcount > 0


def denied(tx: Transaction, token: str, topic: str, now: float) -> bool:
    """A hub will not, or not any more (5.2): the feed is polled as ever, the hub asked in a week."""
    sql = "UPDATE push SET lease_until = 0, proven = 0, next_due = ? WHERE token = ? AND topic = ?"
    return tx.execute(sql, (now + WEEK, token, topic)).rowcount > 0


def news(tx: Transaction, token: str, body: bytes, signature: str, now: float) -> bool:
    """Hear that there is news: the feed is due. False where nobody is subscribed; a wrong signature changes nothing,
    and is not told (7.1)."""
    row = tx.one("SELECT feed, secret, told_at FROM push WHERE token = ?", (token,))
    if row is None:
        return False
    feed, secret, told_at = row
    if is_signed(body, signature, secret):
        at = max(now, told_at + NEWS_SECONDS_MIN)
        tx.execute("UPDATE push SET told_at = ?, proven = 1 WHERE feed = ?", (now, feed))
        feeds.again(tx, feed, at)
    return True


def is_signed(body: bytes, signature: str, secret: str) -> bool:
    """Check ``X-Hub-Signature: sha256=...``."""
    method, _, digest = signature.strip().partition("=")
    if method.lower() not in _DIGESTS:
        return False
    wanted = hmac.new(secret.encode(), body, method.lower()).hexdigest()
    return hmac.compare_digest(wanted.encode(), digest.strip().lower().encode())


def polled(tx: Transaction, feed: int, *, found_news: bool) -> None:
    """Weigh a hub by a poll, before the poll is written down: did it tell of the news since the one before?"""
    if found_news:
        silent = "told_at <= (SELECT last_at FROM feed WHERE feed.id = push.feed)"
        tx.execute(f"UPDATE push SET proven = 0 WHERE feed = ? AND {silent}", (feed,))


def is_proven(reader: Reader, feed: int, now: float) -> bool:
    """Tell whether a feed can be polled seldom."""
    return reader.one("SELECT 1 FROM push WHERE feed = ? AND proven = 1 AND lease_until > ?", (feed, now)) is not None


def told_since(reader: Reader, feed: int, since: float) -> bool:
    """Tell whether a hub rang while its feed was being polled."""
    return reader.one("SELECT 1 FROM push WHERE feed = ? AND told_at > ?", (feed, since)) is not None

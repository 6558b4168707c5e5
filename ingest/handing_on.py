"""A feed that moved for good to a domain that another host polls: it goes there, with all that is known of it.

Law: it is polled by one host at most: not by the old one from the moment it is offered, by the new one from the moment
it took it. The offer is made again until it is answered; the old host forgets the feed when the other one has it, and
polls it as before where the other has one at that place already.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from directory.names import FabricNames
from ingest import feeds
from ingest.feeds import DAY, Feed
from ingest.passing_on import letter_to_host
from ingest.urls import Url, canonical
from mail.envelope import Arrival, Outgoing
from mail.feed_control import TakeFeed, TookFeed
from mail.headers import split_message
from store import Transaction

LEAVING = "leaving"  # the standing of a feed that is offered
AGAIN_SECONDS = 1.0 * DAY
NOT_AGAIN = -1_000  # permanent redirects, until a refused offer is made once more
_STAYS = frozenset({"id", "etag", "modified", "digest", "found_at"})  # of the old place, or of this database


def offer(tx: Transaction, names: FabricNames, feed: Feed, there: Url, now: float) -> Outgoing:
    """Poll a feed no more, and offer it to the host that polls where it is now."""
    tx.execute(
        "UPDATE feed SET standing = ?, next_due = ?, found_at = ? WHERE id = ?",
        (LEAVING, now + AGAIN_SECONDS, there.text, feed.id),
    )
    text = json.dumps(_told(tx, feed), default=lambda octets: {"x": octets.hex()}).encode()
    return _mail(names, names.bucket(there.domain), TakeFeed(feed.source, there.text, feed.bucket), text, now)


def offer_again(tx: Transaction, names: FabricNames, feed: Feed, now: float) -> list[Outgoing]:
    """Nobody answered: the answer was lost, or the other host is away."""
    return [offer(tx, names, feed, canonical(feed.validators.url), now)] if feed.validators.url else []


def take(tx: Transaction, names: FabricNames, arrival: Arrival, wanted: TakeFeed, bucket: int) -> Outgoing:
    """Poll a feed from now on, or say that there is one at its place; to say so once more does no harm."""
    known = feeds.by_source(tx, wanted.source)
    if known is None and feeds.by_url(tx, wanted.url) is None:
        told = json.loads(base64.b64decode(split_message(arrival.content)[1]), object_hook=_octets)
        _insert(tx, told, wanted, bucket, arrival.now)
        known = feeds.by_source(tx, wanted.source)
    answer = TookFeed(wanted.source, known is not None and known.standing != LEAVING)
    return _mail(names, wanted.bucket % names.buckets, answer, b"", arrival.now)


def answered(tx: Transaction, told: TookFeed, now: float) -> None:
    """The other host has it, or will not."""
    feed = feeds.by_source(tx, told.source)
    if feed is None or feed.standing != LEAVING:
        return
    if told.taken:
        for table in ("feed_seen", "redirected", "former_url", "push"):
            tx.execute(f"DELETE FROM {table} WHERE feed = ?", (feed.id,))
        tx.execute("DELETE FROM feed WHERE id = ?", (feed.id,))
        return
    tx.execute("UPDATE feed SET standing = '', next_due = ?, found_at = '' WHERE id = ?", (now, feed.id))
    tx.execute("INSERT OR REPLACE INTO redirected VALUES (?, ?, ?, ?)", (feed.id, feed.validators.url, NOT_AGAIN, now))


def _told(tx: Transaction, feed: Feed) -> dict[str, Any]:
    """What is known of a feed: its row, its items, and the addresses that it had."""
    cursor = tx.execute("SELECT * FROM feed WHERE id = ?", (feed.id,))
    names = [described[0] for described in cursor.description]
    row = dict(zip(names, cursor.fetchone(), strict=True))
    seen = tx.one("SELECT items FROM feed_seen WHERE feed = ?", (feed.id,))
    urls = [feed.url, *(url for (url,) in tx.all("SELECT url FROM former_url WHERE feed = ?", (feed.id,)))]
    return {"feed": {k: v for k, v in row.items() if k not in _STAYS}, "seen": seen[0] if seen else b"", "urls": urls}


def _insert(tx: Transaction, told: dict[str, Any], wanted: TakeFeed, bucket: int, now: float) -> None:
    domain = canonical(wanted.url).domain
    new = {"url": wanted.url, "domain": domain, "bucket": bucket, "standing": "", "next_due": now, "counted_at": 0.0}
    known = {name for (name,) in tx.all("SELECT name FROM pragma_table_info('feed')")} - _STAYS
    row = {name: value for name, value in told["feed"].items() if name in known} | new
    row["source"] = wanted.source
    columns, marks = ", ".join(row), ", ".join("?" * len(row))
    feed = tx.insert(f"INSERT INTO feed ({columns}) VALUES ({marks})", list(row.values()))
    if told["seen"]:
        tx.execute("INSERT INTO feed_seen (feed, items) VALUES (?, ?)", (feed, told["seen"]))
    for url in told["urls"]:
        tx.execute("INSERT OR IGNORE INTO former_url (url, feed) VALUES (?, ?)", (url, feed))


def _mail(names: FabricNames, bucket: int, word: TakeFeed | TookFeed, text: bytes, now: float) -> Outgoing:
    body = base64.encodebytes(text).replace(b"\n", b"\r\n")
    return letter_to_host(names, bucket, type(word).__name__, word, body, f"{names.follow(bucket)}\0{word}\0{now}", now)


def _octets(found: dict[str, Any]) -> Any:
    return bytes.fromhex(found["x"]) if found.keys() == {"x"} else found

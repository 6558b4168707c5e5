"""Feeds that say that they moved: what is believed, and when.

Law: only a permanent redirect moves a feed (RFC 9110 15.4.2, 15.4.9), and only one that stays: a portal's log-in page
answers 301 too. The old address is understood for ever, by the host that polls it.
"""

from __future__ import annotations

from ingest.feeds import Feed
from ingest.urls import Url
from store import Transaction

REDIRECTS_BELIEVED = 3  # so many permanent redirects in a row to one place,
REDIRECTED_SECONDS = 86_400.0  # over so long: a broken proxy for an hour changes nothing


def redirected(tx: Transaction, feed: int, url: str, now: float) -> bool:
    """Count a permanent redirect; True once it is to be believed."""
    row = tx.one("SELECT url, hits, since FROM redirected WHERE feed = ?", (feed,))
    hits, since = (row[1] + 1, row[2]) if row and row[0] == url else (1, now)
    tx.execute("INSERT OR REPLACE INTO redirected VALUES (?, ?, ?, ?)", (feed, url, hits, since))
    return bool(hits >= REDIRECTS_BELIEVED and now - since >= REDIRECTED_SECONDS)


def not_redirected(tx: Transaction, feed: int) -> None:
    tx.execute("DELETE FROM redirected WHERE feed = ?", (feed,))


def settle_at(tx: Transaction, feed: Feed, there: Url, bucket: int) -> None:
    """Poll a feed at another address from now on; who asks for the old one is still understood. It goes with the bucket
    of the new one: who asks for that is sent to whoever owns it, and would find no such feed there."""
    url = there.text
    tx.execute("INSERT OR REPLACE INTO former_url (url, feed) VALUES (?, ?)", (feed.url, feed.id))
    tx.execute("DELETE FROM former_url WHERE url = ?", (url,))
    tx.execute(
        "UPDATE feed SET url = ?, domain = ?, bucket = ?, found_at = CASE found_at WHEN ? THEN '' ELSE found_at END "
        "WHERE id = ?",
        (url, there.domain, bucket, url, feed.id),
    )
    not_redirected(tx, feed.id)

"""How many follow a feed: asked of its list once a week, for the sites that it is polled from.

Law: the question goes out with a poll, in its transaction. "Nobody" is believed only where nobody came since the
question: an answer may be older than a follower. A feed that nobody follows is not polled, and asks once a day.
"""

from __future__ import annotations

from directory.names import FabricNames
from ingest.deliver import source_mail
from ingest.feeds import DAY, Feed
from mail.envelope import Outgoing
from mail.feed_control import TellFollowers
from store import Transaction

ASKED_SECONDS = 7.0 * DAY
FIRST_SECONDS = 3_600.0  # who asked for a feed has followed it by then
ASLEEP_SECONDS = 1.0 * DAY


def question(names: FabricNames, feed: Feed, now: float) -> list[Outgoing]:
    """Return the mail that asks, if it is time."""
    due = feed.counted_at + ASKED_SECONDS if feed.counted_at else feed.created_at + FIRST_SECONDS
    return [ask(names, feed, now)] if due <= now else []


def ask(names: FabricNames, feed: Feed, now: float) -> Outgoing:
    return source_mail(names, feed.source, [TellFollowers(feed.source, feed.bucket)], now)


def asked(tx: Transaction, feed: Feed, now: float) -> None:
    tx.execute("UPDATE feed SET counted_at = ? WHERE id = ?", (now, feed.id))


def somebody_came(tx: Transaction, feed: Feed) -> None:
    """What was asked before does not count any more."""
    tx.execute("UPDATE feed SET counted_at = 0 WHERE id = ?", (feed.id,))

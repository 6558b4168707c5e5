"""Why a feed is polled when it is, for its operator.

Law: it says what schedule.py and settle.py did; it decides nothing.
"""

from __future__ import annotations

import time

from ingest.fetched import WEEK
from ingest.listing import FeedLine, HubLine

_STANDING = {
    "leaving": "it moved for good to a site that another host polls, which is asked to take it",
    "suspended": "the operator suspended it: `feed resume` has it polled again",
    "asleep": "nobody follows it: its list is asked once a day, and who comes first has it polled",
    "ended": "its site says that it is gone: looked after once a week",
    "silent": "nothing but errors for a month: looked after once a week",
}


def why_due(feed: FeedLine) -> str:
    """Say it in a line."""
    if feed.standing in _STANDING:
        return _STANDING[feed.standing]
    if feed.errors:
        return f"{feed.errors} error{'s' if feed.errors > 1 else ''} in a row: the wait doubles with each"
    if not feed.last_at:
        return "it was never polled"
    if feed.floor and feed.floor > feed.gap / 2:
        asked = _span(feed.floor) if feed.floor <= WEEK else "longer than a week, and is for as long as we wait at most"
        return f"its site asks to be left alone for {asked}"
    return f"something new comes every {_span(feed.gap)}" if feed.gap else "nothing in it is dated"


def hub_words(hub: HubLine | None, now: float) -> str:
    """Say in a line what the hub of a feed does."""
    if hub is None:
        return "none is asked: the feed names none, or push_url does not say where one would reach this host"
    if hub.lease_until <= now:
        asked = f"asked {hub.tries} times" if hub.tries else "not asked yet"
        return f"{hub.hub} does not ring: {asked}, again at {_moment(hub.next_due)}"
    told = f"it rang last at {_moment(hub.told_at)}" if hub.told_at else "it never rang"
    quick = "; it is quicker than polls" if hub.proven else ""
    return f"{hub.hub} rings until {_moment(hub.lease_until)}; {told}{quick}"


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _span(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 60:.0f} minutes"

"""Why a feed is polled when it is, for its operator.

Law: it says what schedule.py and settle.py did; it decides nothing.
"""

from __future__ import annotations

from ingest.listing import FeedLine

_STANDING = {
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
        return f"its site asks to be left alone for {_span(feed.floor)}"
    return f"something new comes every {_span(feed.gap)}" if feed.gap else "nothing in it is dated"


def _span(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 60:.0f} minutes"

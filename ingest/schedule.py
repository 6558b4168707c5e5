"""When a feed is asked again.

Law: decided from arguments alone. Answers and errors change how long we wait, never whether we ask again; nothing
makes us wait longer than a week.
"""

from __future__ import annotations

from collections.abc import Iterable

from ingest.fetched import WEEK
from ingest.settings import Settings

JITTER = 0.1  # so that feeds that were added together do not stay together
TRUST = 0.25  # of a feed's age with us may pass until it is asked again
ITEMS_LOOKED_AT = 20
ERRORS_DOUBLED_MAX = 12


def average_gap(dates: Iterable[float | None], now: float) -> float:
    """Return the mean time between the newest items, the one that is still to come included; 0 if nothing is dated."""
    known = sorted((date for date in dates if date is not None and date <= now), reverse=True)[:ITEMS_LOOKED_AT]
    return (now - known[-1]) / len(known) if known else 0.0


def interval(*, gap: float, floor: float, age: float, settings: Settings, chance: float) -> float:
    """Return the seconds until the next poll. `floor`: what the site asked for; `chance`: random, 0 <= chance < 1.

    `age`: how long we have followed the feed. At first it is asked often: what its dates promise is not known yet, and
    somebody is looking.
    """
    wanted = max(min(gap / 2, age * TRUST), floor, settings.poll_seconds_min)
    return _jittered(min(wanted, settings.poll_seconds_max), chance)


def backed_off(errors: int, retry_after: float, settings: Settings, chance: float) -> float:
    """Return the seconds until the next poll after the n-th error in a row (n from 1)."""
    doubled = settings.poll_seconds_min * 2 ** min(errors, ERRORS_DOUBLED_MAX)
    return max(retry_after, _jittered(min(doubled, WEEK), chance))


def retry(tries: int, retry_after: float, settings: Settings) -> float | None:
    """Return the seconds until a request's site is tried again, after so many tries; None to give up."""
    if tries > settings.retries_max:
        return None
    wait: float = settings.retry_seconds * 4 ** (tries - 1)
    return max(wait, min(retry_after, 3_600.0))


def _jittered(seconds: float, chance: float) -> float:
    return seconds * (1 - JITTER + 2 * JITTER * chance)

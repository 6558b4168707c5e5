"""When a feed is asked again.

Law: decided from arguments alone. Answers and errors change how long we wait, never whether we ask again; nothing
makes us wait longer than a week.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime

from ingest.fetched import WEEK
from ingest.settings import Settings

JITTER = 0.1  # so that feeds that were added together do not stay together
TRUST = 0.25  # of a feed's age with us may pass until it is asked again
ITEMS_LOOKED_AT = 20
ERRORS_DOUBLED_MAX = 12
SILENT_SECONDS = 30 * 86_400.0  # of nothing but errors, and its followers are told; from then on, once a week
HOURS, DAYS = 24, 7


def average_gap(dates: Iterable[float | None], now: float) -> float:
    """Return the mean time between the newest items, the one that is still to come included; 0 if nothing is dated."""
    known = sorted((date for date in dates if date is not None and date <= now), reverse=True)[:ITEMS_LOOKED_AT]
    return (now - known[-1]) / len(known) if known else 0.0


def expected_gap(gap: float, quiet: float) -> float:
    """Correct what a document's dates promised by how long nothing came: all there is, where nothing is dated."""
    return max(gap, quiet / ITEMS_LOOKED_AT) if gap else quiet


def interval(*, gap: float, floor: float, age: float, settings: Settings, chance: float, followers: int = 1) -> float:
    """Return the seconds until the next poll. `floor`: what the site asked for; `chance`: random, 0 <= chance < 1.

    `age`: how long we have followed the feed. At first it is asked often: what its dates promise is not known yet, and
    somebody is looking. The more follow, the sooner they are served: ten thousand, three times as soon as one.
    """
    often = 2 + math.log10(max(followers, 1))
    wanted = max(min(gap / often, age * TRUST), floor, settings.poll_seconds_min)
    return _jittered(min(wanted, settings.poll_seconds_max), chance)


def backed_off(errors: int, retry_after: float, settings: Settings, chance: float) -> float:
    """Return the seconds until the next poll after the n-th error in a row (n from 1)."""
    doubled = settings.poll_seconds_min * 2 ** min(errors, ERRORS_DOUBLED_MAX)
    return max(retry_after, _jittered(min(doubled, WEEK), chance))


def seldom(chance: float) -> float:
    """Return the seconds until a feed that ended or fell silent is looked after: nobody waits for it."""
    return _jittered(WEEK, chance)


def retry(tries: int, retry_after: float, settings: Settings) -> float | None:
    """Return the seconds until a request's site is tried again, after so many tries; None to give up."""
    if tries > settings.retries_max:
        return None
    wait: float = settings.retry_seconds * 4 ** (tries - 1)
    return max(wait, min(retry_after, 3_600.0))


def skip_mask(hours: Iterable[int], days: Iterable[int]) -> int:
    """Write skipHours and skipDays (RSS 2.0; GMT, Monday is 0) as bits. Who names all of them names none."""
    hour_bits, day_bits = _bits(hours, HOURS), _bits(days, DAYS)
    return hour_bits | day_bits << HOURS


def not_skipped(at: float, mask: int) -> float:
    """Return the first moment from `at` on that a feed does not ask to be left alone in."""
    for _ in range(HOURS * DAYS if mask else 0):
        moment = datetime.fromtimestamp(at, UTC)
        if not (mask >> moment.hour & 1 or mask >> (HOURS + moment.weekday()) & 1):
            break
        at = (at // 3_600 + 1) * 3_600
    return at


def _bits(numbers: Iterable[int], count: int) -> int:
    bits = sum(1 << number for number in {number % count for number in numbers})
    return 0 if bits == (1 << count) - 1 else bits


def _jittered(seconds: float, chance: float) -> float:
    return seconds * (1 - JITTER + 2 * JITTER * chance)

"""When to try again, and when to give up.

Law: pure. Full jitter: after an outage everybody who waited comes back spread over the whole wait, not together.
"""

from __future__ import annotations

from dataclasses import dataclass

DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """`waits_seconds[k]` bounds the wait after attempt k + 1, its last all later ones; none is under `floor_seconds`.
    RFC 5321 4.5.4.1: give up no sooner than four to five days."""

    waits_seconds: tuple[float, ...]
    floor_seconds: float
    lifetime_seconds: float = 5 * DAY_SECONDS


# A host of the fabric is usually being restarted, or a bucket is moving: seconds matter, and nobody is annoyed.
FABRIC = Schedule((1, 2, 5, 10, 15, 30, 60, 60, 120, 300, 600, 900, 1800, 3600), floor_seconds=0.1)
# Abroad the first refusal is often greylisting, which counts minutes and dislikes haste.
FOREIGN = Schedule((300, 600, 1200, 1800, 3600, 7200), floor_seconds=60)


def next_attempt(schedule: Schedule, *, accepted_at: float, attempts: int, now: float, chance: float) -> float | None:
    """Return when to try again after `attempts` tries (this one counted), or None to give up.

    `chance` is a random number in [0, 1). The last try falls on the very end of the message's life.
    """
    end = accepted_at + schedule.lifetime_seconds
    if now >= end:
        return None
    longest = schedule.waits_seconds[min(max(attempts, 1), len(schedule.waits_seconds)) - 1]
    wait = schedule.floor_seconds + chance * max(longest - schedule.floor_seconds, 0.0)
    return min(now + wait, end)

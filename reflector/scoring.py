"""How much a mail that came back says against a mailbox.

Law: pure. A day counts for one point at the most, whatever comes back on it; refusals of us (policy), delays and
answers by machines for none. Points alone remove nobody: they lead to a question, and only its coming back does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reflector.returned import Kind

POINTS: Mapping[Kind, float] = {"dead": 1.0, "weak": 0.25}
POINTS_PER_DAY_MAX = 1.0
PROBE_AT = 4.0  # four days of no such mailbox, or sixteen of a full one
FORGOTTEN_DAYS = 30  # without a failure; a list that posts monthly still gets there
PROBE_DAYS = 7  # a host may try for five before it says that it could not


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscriber whose mail fails. `today`: the points of `day`. `probe`: the token of the question that is out."""

    score: float = 0.0
    today: float = 0.0
    day: int = 0
    probe: str = ""
    probed: float = 0.0
    reason: str = ""

    @property
    def wants_probe(self) -> bool:
        return self.score >= PROBE_AT and not self.probe


def weighed(before: Standing, kind: Kind, day: int, reason: str) -> Standing:
    """Return where she stands after one more mail came back."""
    fresh = before if day - before.day < FORGOTTEN_DAYS else Standing()
    today = fresh.today if fresh.day == day else 0.0
    points = min(POINTS.get(kind, 0.0), POINTS_PER_DAY_MAX - today)
    if points <= 0:
        return before
    return replace(fresh, score=fresh.score + points, today=today + points, day=day, reason=reason)


def after_probe(before: Standing) -> Standing:
    """The question came back, but the mailbox is there: full, perhaps. Half of the way is to be gone again."""
    return replace(before, score=before.score / 2, probe="", probed=0.0)


def is_over(standing: Standing, day: int) -> bool:
    """Tell whether a standing is no longer worth keeping: the question arrived, or nothing fails any more."""
    asked = int(standing.probed // 86_400)
    return bool(standing.probe and day - asked > PROBE_DAYS) or day - standing.day >= FORGOTTEN_DAYS

"""What is wrong with a zone, as a value: where, what, and what to do about it.

Law: every problem names a line and a remedy. An error keeps a zone from being served; a warning does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PROBLEMS_MAX = 50  # a zone with its $ORIGIN gone has one for every line; nobody reads more than the first few


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `line` 0: nowhere in particular, something is missing."""

    line: int
    text: str
    remedy: str
    warning: bool = False

    def shown(self, file: str) -> str:
        """``fabric.test.zone:17: b7.timeline has no MX. Add "b7.timeline MX 10 host-1".``"""
        place = f"{file}:{self.line}" if self.line else file
        return f"{place}: {'warning: ' if self.warning else ''}{self.text}. {self.remedy}"


def errors(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(problem for problem in problems if not problem.warning)


def capped(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return errors first, in order of line, then what is missing; and no more than can be of use."""
    ordered = sorted(problems, key=lambda problem: (problem.warning, not problem.line, problem.line))
    if len(ordered) <= PROBLEMS_MAX:
        return tuple(ordered)
    more = len(ordered) - PROBLEMS_MAX
    rest = Problem(0, f"{more} more like these", "Mend the first ones and look again.", ordered[0].warning)
    return (*ordered[:PROBLEMS_MAX], rest)

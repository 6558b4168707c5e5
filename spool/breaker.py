"""A breaker per destination: one that does not answer costs nothing until it is probed again.

Law: pure state; the clock comes in. Closed: everything passes. Open: nothing does. When the wait is over it is half
open: one attempt passes, and its end decides.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Breaker:
    """Opens after `failures_max` failures in a row, for `first_seconds`, then twice as long up to `last_seconds`."""

    first_seconds: float
    last_seconds: float
    failures_max: int = 3
    failures: int = 0
    open_until: float = 0.0
    probing: bool = False
    reason: str = ""

    def is_open(self, now: float) -> bool:
        """Tell whether an attempt must not be made now."""
        return self.failures >= self.failures_max and (self.probing or now < self.open_until)

    def begin(self, now: float) -> bool:
        """Ask for leave to make an attempt; where granted, `succeeded`, `failed` or `abandoned` must follow."""
        if self.is_open(now):
            return False
        self.probing = self.failures >= self.failures_max
        return True

    def succeeded(self) -> bool:
        """Note that the destination answers; True if it had been given up."""
        recovered = self.failures >= self.failures_max
        self.failures, self.probing, self.open_until = 0, False, 0.0
        return recovered

    def failed(self, now: float, reason: str) -> None:
        """Note that it does not answer."""
        self.failures += 1
        self.probing = False
        self.reason = reason
        beyond = self.failures - self.failures_max
        if beyond >= 0:
            self.open_until = now + min(self.first_seconds * 2.0 ** min(beyond, 30), self.last_seconds)

    def abandoned(self) -> None:
        """Note that an attempt was given up without learning anything."""
        self.probing = False

    def reset(self) -> None:
        """Let the next attempt through (an operator's retry)."""
        self.open_until, self.probing = 0.0, False

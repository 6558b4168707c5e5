"""How far a hand-over is.

Law: it is told, never decided by; a restart forgets it, and what it stands for is in the tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Run:
    """All that goes to one host, one group after the other: since when, and how many buckets are there by now."""

    begun: float
    handed: int = 0

    def eta(self, left: int, now: float) -> float | None:
        """How many seconds the rest takes at the pace so far; None where nothing can be said."""
        return (now - self.begun) / self.handed * left if self.handed else None


@dataclass(slots=True)
class Progress:
    """How far a hand-over is, for the operator."""

    peer: str
    buckets: list[tuple[str, int]]
    phase: str = "offering"
    units: int = 0
    done: int = 0
    octets: int = 0
    begun: float = 0.0
    pause: float = 0.0
    why: str = ""
    told: dict[tuple[str, str], Any] = field(default_factory=dict)

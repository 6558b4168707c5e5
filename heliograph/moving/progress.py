"""How far a hand-over is.

Law: it is told, never decided by; a restart forgets it, and what it stands for is in the tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


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

"""How far a standby is, as its owner knows it.

Law: it is only looked at; nothing is decided by it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """What `status` shows. `as_of`: when the newest commit that the standby holds was made, as far as it was told."""

    phase: str = "away"
    why: str = ""
    as_of: float = 0.0
    pages_done: int = 0
    pages: int = 0
    octets: int = 0  # sent, of records

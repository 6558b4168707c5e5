"""What a check found.

Law: a fault keeps the fabric from working, now or soon; a warning does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Grade = Literal["good", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report. `remedy`: what to do, "" where all is good."""

    check: str
    grade: Grade
    text: str
    remedy: str = ""


def good(check: str, text: str) -> Finding:
    return Finding(check, "good", text)


def warning(check: str, text: str, remedy: str) -> Finding:
    return Finding(check, "warning", text, remedy)


def fault(check: str, text: str, remedy: str) -> Finding:
    return Finding(check, "fault", text, remedy)

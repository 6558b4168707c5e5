"""How figures are written for people: times, sizes, bars, tables.

Law: pure; short enough that a screen of 80 columns holds a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

BAR_CELLS = 10


def duration(seconds: float) -> str:
    """Write a time in its largest unit."""
    for name, unit in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


def size(octets: float) -> str:
    """Write octets in their largest unit."""
    for name, unit in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if octets >= unit:
            return f"{octets / unit:.1f} {name}"
    return f"{octets / 1e3:.0f} KB"


def bar(done: int, whole: int, cells: int = BAR_CELLS) -> str:
    """``[####......]``"""
    full = cells * done // whole if whole else 0
    return "[" + "#" * full + "." * (cells - full) + "]"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Write rows below a head; nothing without rows. A row with fewer cells says something in its last one, at any
    length."""
    lines = [head, *rows]
    if len(lines) == 1:
        return []
    whole = [line for line in lines if len(line) == len(head)]
    widths = [max(len(line[n]) for line in whole) for n in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)).rstrip() for line in lines]

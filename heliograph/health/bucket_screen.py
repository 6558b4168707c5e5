"""What hosts hold of buckets that are not simply their own, for the screen of `bucket status`.

Law: pure, like `screen.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from heliograph.health.standing_screen import MOVES, moves, why_waiting
from heliograph.health.words import table

Row = dict[str, Any]

SHOWN_MAX = 5  # buckets in a line
STATES = {"acquiring": "comes from", "sealed": "sealed for", "demoted": "back to", "tombstone": "gone to"}
ON_THEIR_WAY = ("sealed", "acquiring")


def is_busy(row: Row) -> bool:
    """Tell whether anything is on its way from or to a host."""
    return bool(row.get("going")) or any(one["state"] in ON_THEIR_WAY for one in row.get("buckets", []))


def screen(rows: list[Row]) -> str:
    """What each host holds of others' buckets; then a bar for each host that buckets go to, and why it waits."""
    parts = [[line for row in rows for line in _lines(row)], table(MOVES, moves(rows)), list(why_waiting(rows))]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _lines(row: Row) -> Iterator[str]:
    counts: dict[tuple[str, str], list[str]] = {}
    for one in row.get("buckets", []):
        state = "copy kept" if one.get("kept") and one["state"] == "tombstone" else one["state"]
        counts.setdefault((STATES.get(state, state), one["peer"]), []).append(f"b{one['bucket']}.{one['map']}")
    for (state, peer), names in sorted(counts.items()):
        yield f"{row['host']:<10} {state:<10} {peer:<10} {_some(names)}"
    for to in sorted({one["to"] for one in row.get("going", [])}):
        names = [f"b{one['bucket']}.{one['map']}" for one in row["going"] if one["to"] == to]
        yield f"{row['host']:<10} {'to go':<10} {to:<10} {_some(names)}"
    if not (row.get("buckets") or row.get("going")):
        yield f"{row['host']:<10} {row.get('trouble', 'all of its buckets are its own')}"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN_MAX])
    return shown if len(names) <= SHOWN_MAX else f"{shown} and {len(names) - SHOWN_MAX} more"

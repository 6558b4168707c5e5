"""Whether a host of the fabric may be taken away: what it still holds, and what still comes to it.

Law: pure; told from what all hosts say of themselves (health/neighbours.py). A host that says nothing holds everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Word = dict[str, Any]


def held_by(name: str, words: Sequence[Word]) -> list[str]:
    """Return what would be lost with a host, or wait for it in vain; nothing: it may go."""
    own = next((word for word in words if word["host"] == name), None)
    if own is None or not own.get("up"):
        return [f"{name} does not answer, so nobody knows whether it still holds mail: start it, or say --dead"]
    found = []
    if left := sum(own["owned"].values()):
        found.append(f"it still holds {left} buckets")
    if waits := own["queue"]["recipients"]:
        found.append(f"{waits} recipients wait in its queue")
    if passed := own.get("passed_on", 0):
        found.append(f"it passes on posts of {passed} sources to followers who moved: their lists are being told")
    if leaves := own.get("leaves", 0):
        found.append(f"{leaves} lists send it their posts still: they are asking it who follows")
    for word in words:
        if word["host"] != name and (count := word.get("queue", {}).get("hosts", {}).get(name)):
            found.append(f"{count} recipients wait for it at {word['host']}")
    return found

"""What a list is to become next: split further, folded back, or left alone.

Law: pure. A list is split above `split_threshold` and folded when all of it is below a quarter of that: what was just
done is not undone by the next follower.
"""

from __future__ import annotations

from reflector.nodes import AUTO, FLAT, SPLIT

HYSTERESIS = 4


def wants_split(policy: str, rows: int, branches: int, total: int, threshold: int) -> bool:
    """Tell whether (more) ranges are to be handed over: once begun, it is finished."""
    if policy == AUTO:
        return rows > threshold or (branches > 0 and rows > 0 and not wants_fold(policy, branches, total, threshold))
    return policy == SPLIT and rows > 0


def wants_fold(policy: str, branches: int, total: int, threshold: int) -> bool:
    """Tell whether branches are to come back. `total`: followers of this list and all below."""
    if policy == AUTO:
        return branches > 0 and total * HYSTERESIS < threshold
    return policy == FLAT and branches > 0

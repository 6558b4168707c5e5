"""Which buckets ought to move, when hosts come, go or are to carry more than others.

Law: pure, and as few moves as there can be: a bucket moves only from a host that has too many to one that has too few.
The same question has the same answer, and after the answer was carried out there is nothing left to do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple


class Move(NamedTuple):
    """One bucket's way."""

    bucket: int
    giver: str
    taker: str


def shares(buckets: int, weights: Mapping[str, Fraction], now: Mapping[str, int]) -> dict[str, int]:
    """How many buckets each host is to have: what its weight says, rounded down or up. Rounded up for those that have
    more now, so that less moves. ValueError where no host has a weight."""
    whole = sum(weights.values())
    if whole <= 0 or min(weights.values()) < 0:
        raise ValueError("no host has a weight above 0")
    ideal = {host: weight * buckets / whole for host, weight in weights.items()}
    target = {host: int(share) for host, share in ideal.items()}
    rounded = [host for host in ideal if ideal[host] > target[host]]
    rounded.sort(key=lambda host: (now.get(host, 0) <= target[host], target[host] - ideal[host], host))
    for host in rounded[: buckets - sum(target.values())]:
        target[host] += 1
    return target


def plan(owners: Sequence[str], weights: Mapping[str, Fraction]) -> tuple[Move, ...]:
    """Return what has to move. `owners`: a host's name per bucket; `weights`: who is to have some, all others none.

    The highest buckets of a host go, in order, so that ranges stay ranges."""
    now = Counter(owners)
    target = shares(len(owners), weights, now)
    left = {host: count - target.get(host, 0) for host, count in now.items()}
    takers = _turns((host, target[host] - now[host]) for host in sorted(target))
    moves = []
    for bucket in reversed(range(len(owners))):
        host = owners[bucket]
        if left[host] > 0:
            left[host] -= 1
            moves.append((bucket, host))
    return tuple(Move(bucket, giver, taker) for (bucket, giver), taker in zip(sorted(moves), takers, strict=True))


def _turns(wanted: Iterable[tuple[str, int]]) -> list[str]:
    return [host for host, count in wanted for _ in range(count)]

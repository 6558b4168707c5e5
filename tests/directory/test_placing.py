"""Which buckets move: as few as can be, to where they belong, and then none."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.placing import plan, shares

HOSTS = [f"host-{n}" for n in range(1, 7)]
WEIGHTS = st.dictionaries(st.sampled_from(HOSTS), st.fractions(0, 10, max_denominator=4), min_size=1).filter(
    lambda weights: sum(weights.values()) > 0
)
OWNERS = st.lists(st.sampled_from(HOSTS), min_size=1, max_size=200)


@given(OWNERS, WEIGHTS)
def test_everybody_gets_a_share_and_nothing_moves_in_vain(owners: list[str], weights: dict[str, Fraction]) -> None:
    moves = plan(owners, weights)
    after = list(owners)
    for bucket, giver, taker in moves:
        assert after[bucket] == giver != taker
        after[bucket] = taker
    count, whole = Counter(after), sum(weights.values())
    for host in HOSTS:
        share = weights.get(host, Fraction(0)) * len(owners) / whole
        assert int(share) <= count[host] <= -int(-share // 1), host  # rounded down or up
    target, now = shares(len(owners), weights, Counter(owners)), Counter(owners)
    assert len(moves) == sum(max(now[host] - target.get(host, 0), 0) for host in now)  # nobody both gives and takes
    givers, takers = {move.giver for move in moves}, {move.taker for move in moves}
    assert not givers & takers
    assert plan(after, weights) == ()  # then there is nothing left to do


@given(OWNERS, WEIGHTS)
def test_no_other_rounding_moves_less(owners: list[str], weights: dict[str, Fraction]) -> None:
    now, whole = Counter(owners), sum(weights.values())
    ideal = {host: weights[host] * len(owners) / whole for host in weights}
    spare = len(owners) - sum(map(int, ideal.values()))
    kept = sum(min(now[host], int(ideal[host])) for host in ideal)
    more = sum(ideal[host] > int(ideal[host]) and now[host] > int(ideal[host]) for host in ideal)
    assert len(plan(owners, weights)) == len(owners) - kept - min(spare, more)


def test_a_range_is_cut_once() -> None:
    owners = ["host-1"] * 50 + ["host-2"] * 50
    moves = plan(owners, dict.fromkeys(("host-1", "host-2", "host-3"), Fraction(1)))
    assert [move.bucket for move in moves if move.giver == "host-1"] == list(range(34, 50))
    assert {move.taker for move in moves} == {"host-3"} and len(moves) == 33


def test_nobody_cannot_own_everything() -> None:
    with pytest.raises(ValueError, match="weight"):
        plan(["host-1"], {"host-1": Fraction(0)})

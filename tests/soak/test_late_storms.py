"""Late mail, late zones and moves of followers and lists, mixed at random: each seed is another story.

HELIOGRAPH_SEEDS: how many (500), from HELIOGRAPH_FIRST on (0).
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence

import pytest

from tests.moving.late_mail import LAST, Deed, Story, move
from tests.moving.late_place import HOSTS

SEEDS = int(os.environ.get("HELIOGRAPH_SEEDS", "500"))
FIRST = int(os.environ.get("HELIOGRAPH_FIRST", "0"))
FOLLOW, LEAVE, POST = ("ask", "ann", "subscribe"), ("ask", "ann", "unsubscribe"), ("post",)
WISHES = (
    [FOLLOW],
    [FOLLOW, (*FOLLOW, "folder=News")],
    [FOLLOW, LEAVE],
    [FOLLOW, LEAVE, FOLLOW],
    [FOLLOW, LEAVE, FOLLOW, LEAVE],
)
OFTEN_LATE = ("welcome", "goodbye")
LATE = ("welcome 3", "moved", "settled", "passon", "adopt", "adopted", "fold", "returned", "released")


def schedule(seed: int) -> tuple[Story, dict[str, int]]:
    dice = random.Random(seed)
    lists, home, ends = dice.choice(HOSTS), dice.choice(HOSTS), dice.choice((True, False))
    hers, his = (
        _moves(dice, "timeline", "ann", home, (1, 1, 2, 2, 3)),
        _moves(dice, "reflectors", "bob", lists, (0, 0, 1, 2)),
    )
    flat: list[Deed] = [("flatten",)] if dice.random() < 0.2 else []
    deeds = _mixed(dice, dice.choice(WISHES), [POST] * dice.choice((2, 3, 4)), hers, his, flat)
    threshold = dice.choice((1, 1, 2, 50))
    leaf = dice.choice(("", home, dice.choice(HOSTS))) if threshold == 1 else ""
    when = {kind: _late(dice, len(deeds)) for kind in OFTEN_LATE if dice.random() < 0.7}
    when |= {kind: _late(dice, len(deeds)) for kind in LATE if dice.random() < 0.2}
    when |= {"post": dice.choice((0, 0, 1, 3, LAST))} | {f"zone {host}": dice.choice((0, 0, 2, 4)) for host in HOSTS}
    return Story(lists, home, deeds, leaf, {"leaf_threshold": threshold}, ends), when


def _moves(dice: random.Random, which: str, name: str, at: str, often: Sequence[int]) -> list[Deed]:
    deeds: list[Deed] = []
    for _ in range(dice.choice(often)):
        at = dice.choice([host for host in HOSTS if host != at])
        deeds += move("timeline" if which == "timeline" else "reflectors", name, at)
    return deeds


def _mixed(dice: random.Random, *rows: Sequence[Deed]) -> list[Deed]:
    """Each row in its order."""
    left, deeds = [list(row) for row in rows if row], []
    while left:
        row = dice.choice(left)
        deeds.append(row.pop(0))
        left = [row for row in left if row]
    return deeds


def _late(dice: random.Random, deeds: int) -> int:
    return dice.choice((dice.randrange(deeds + 1), LAST))


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_nobody_misses_a_post_in_any_weather() -> None:
    for seed in range(FIRST, FIRST + SEEDS):
        story, when = schedule(seed)
        assert not (fault := story.play(when).fault()), f"seed {seed}: {fault}; {story}, {when}"

"""Whatever mail, hosts and people do: every follower gets every post of what she was told exactly once."""

from __future__ import annotations

import pytest

from tests.reflector.tree_world import live, tell

SCHEDULES, AT_ONCE = 32, 8  # `make soak` lives a million others


@pytest.mark.parametrize("first", range(0, SCHEDULES, AT_ONCE))
def test_everybody_gets_every_post_once(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        live(seed)


def test_the_schedules_reach_all_there_is() -> None:
    """Or the others would prove little: lists split, fold, split again, give up, and go on."""
    kinds = {kind for seed in range(6) for _, _, kind, _ in live(seed).story}
    assert kinds >= {"handed-over", "adopted", "relayed", "folded", "released", "hand-over-given-up"}
    assert tell(live(0), "handed-over")

"""The rules of promotion and return in every order of events, and without each rule: then something breaks."""

from __future__ import annotations

import pytest

from tests.moving.lost_world import KEEPS, LOST, MOVES, WELCOME, Loss, World
from tests.moving.world import explore, stuck

GIVEN_UP = (KEEPS, LOST, WELCOME)
ON_THE_WAY = (KEEPS, MOVES, LOST)  # A was handing it over to B itself


@pytest.mark.parametrize("history", [GIVEN_UP, ON_THE_WAY], ids=str)
@pytest.mark.parametrize(
    "loss", [Loss(), Loss(disk=False), Loss(required=False, disk=False)], ids=("disk lost", "required", "preferred")
)
def test_nothing_acknowledged_is_lost_and_there_is_one_owner(history: tuple[str, ...], loss: Loss) -> None:
    world = World(history, loss)
    fault, seen = explore(world)
    assert fault == "" and len(seen) > 500
    assert stuck(world, {state: after for state, after in seen.items() if state.sent}) == 0


@pytest.mark.parametrize(
    ("loss", "breaks"),
    [
        (Loss(required=False, disk=False, no_gap=True), "UID reused"),
        (Loss(required=False, disk=False, discards=True), "lost"),
        (Loss(required=False, disk=True), "lost"),
        (Loss(required=False, disk=False, by_silence=True), "two owners"),
        (Loss(required=False, disk=False, takes_old_grants=True), "lost"),
        (Loss(required=False, disk=False, demotes_late=True), "two owners"),
    ],
    ids=str,
)
def test_no_rule_is_there_for_nothing(loss: Loss, breaks: str) -> None:
    assert breaks in {explore(World(history, loss))[0] for history in (GIVEN_UP, ON_THE_WAY)}

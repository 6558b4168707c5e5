"""The rules of a hand-over in every order of events, and without each rule: then something breaks."""

from __future__ import annotations

import pytest

from tests.moving.world import Mutant, World, explore, stuck

THERE, THERE_AND_BACK = (0, 1), (0, 1, 0)


@pytest.mark.parametrize("history", [THERE, THERE_AND_BACK])
def test_a_letter_is_filed_once_and_the_bucket_has_one_owner(history: tuple[int, ...]) -> None:
    world = World(history, Mutant(), tries=2)
    fault, seen = explore(world)
    assert fault == ""
    # Whatever happened, it can still come to its end. (Who sends nothing has nothing filed.)
    assert stuck(world, {state: after for state, after in seen.items() if state.accepted}) == 0


@pytest.mark.parametrize(
    ("mutant", "breaks"),
    [
        pytest.param(Mutant(owner_by_zone=True), "two owners", id="ownership by the zone alone"),
        pytest.param(Mutant(seal_not_durable=True), "two owners", id="seal not durable"),
        pytest.param(Mutant(refuses_unknown=True), "wrong bounce", id="550 for an unknown bucket"),
        pytest.param(Mutant(deletes_on_send=True), "lost", id="delete on send"),
        pytest.param(Mutant(no_dedup=True), "doubled", id="no dedup"),
        pytest.param(Mutant(keys_stay=True), "doubled", id="dedup keys not moved"),
        pytest.param(
            Mutant(grant_without_serial=True), "ownership goes to and fro", id="grant without the zone's serial"
        ),
        pytest.param(Mutant(acks_what_it_holds=True), "lost", id="acking a forward with a copy already held"),
        pytest.param(Mutant(takes_any_epoch=True), "lost", id="a grant of any epoch taken"),
    ],
)
def test_no_rule_is_there_for_nothing(mutant: Mutant, breaks: str) -> None:
    found = {explore(World(history, mutant))[0] for history in (THERE, THERE_AND_BACK)}
    assert breaks in found

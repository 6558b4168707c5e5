"""Every rule of the protocol is needed: without it, some schedule ends badly, and the simulation says so."""

from __future__ import annotations

import pytest

from tests.reflector.tree_mutants import MUTANTS, Mutant
from tests.reflector.tree_world import live

SCHEDULES_MAX = 150  # a fifth of them is enough for each
COMMON = [mutant for mutant in MUTANTS if not mutant.rare]


@pytest.mark.parametrize("mutant", COMMON, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_mutant_is_killed(mutant: Mutant) -> None:
    with mutant.alive():
        for seed in (mutant.seed, *range(SCHEDULES_MAX)):
            try:
                live(seed)
            except Exception:
                return
    raise AssertionError(f"{SCHEDULES_MAX} schedules went well although {mutant.name}")

"""A million days in the life of a tree of lists (see tests/reflector/tree_world.py).

HELIOGRAPH_SCHEDULES: how many (1,000,000; some 80 ms each and core); HELIOGRAPH_SEED: where to begin.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import pytest

from tests.reflector.tree_mutants import MUTANTS, Mutant
from tests.reflector.tree_world import live

SCHEDULES = int(os.environ.get("HELIOGRAPH_SCHEDULES", "1000000"))
FIRST = int(os.environ.get("HELIOGRAPH_SEED", "0"))
LOT = 250
KILLERS_MAX = 5000  # schedules to find one that a rare mutant does not survive
FAULTS_TOLD_MAX = 20


def faults_of(deeds: int, first: int) -> list[str]:
    """Live a lot of schedules; return what went wrong."""
    found = []
    for seed in range(first, first + LOT):
        try:
            live(seed, deeds)
        except Exception as error:
            found.append(f"seed {seed}: {type(error).__name__}: {error}")
    return found


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_everybody_gets_every_post_once() -> None:
    with ProcessPoolExecutor() as pool:
        lots = pool.map(partial(faults_of, 40), range(FIRST, FIRST + SCHEDULES, LOT))
        faults = [fault for lot in lots for fault in lot]
    assert not faults, "\n".join(faults[:FAULTS_TOLD_MAX])


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_mutant_is_killed(mutant: Mutant) -> None:
    with mutant.alive():
        for seed in range(KILLERS_MAX):
            try:
                live(seed)
            except Exception:
                return
    raise AssertionError(f"{KILLERS_MAX} schedules went well although {mutant.name}")

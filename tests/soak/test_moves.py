"""Buckets go round among three real hosts, under load, whatever befalls the hosts: nothing lost, nothing doubled.

HELIOGRAPH_MOVES: how many under links cut and hosts killed (1,000); the others are a tenth. HELIOGRAPH_SEED: of what is
random here but the clock.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from tests.soak.moving_faults import CLOCK
from tests.soak.yard import is_possible, yard

MOVES = int(os.environ.get("HELIOGRAPH_MOVES", "1000"))
SEED = int(os.environ.get("HELIOGRAPH_SEED", "0")) or random.randrange(1, 2**31)
SECONDS_MAX = 5_400.0  # then it is judged by the moves that were made
PAUSE_SECONDS_MAX = 2.0
HOSTS = ("host-1", "host-2", "host-3")

rooted = pytest.mark.skipif(not is_possible(), reason="only root makes namespaces, mounts disks and cuts their power")


def run(moves: int, *options: str, before: Sequence[str] = ()) -> dict[str, Any]:
    line = [sys.executable, "-m", "tests.soak.moves_run", "--moves", str(moves), "--seed", str(SEED)]
    done = subprocess.run(
        [*before, *line, "--seconds", str(SECONDS_MAX), *options], capture_output=True, text=True, check=False
    )
    print(done.stdout, done.stderr[-20_000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["lost_or_doubled"] == []
    return found


@pytest.mark.soak
def test_a_few_moves_while_hosts_are_killed() -> None:
    assert run(6, "--faults", "kill", "--share", "0.5")["moves"] >= 6


@pytest.mark.soak
@rooted
def test_a_thousand_moves_while_links_are_cut_and_hosts_are_killed() -> None:
    with yard(HOSTS) as here:
        found = run(MOVES, "--faults", "kill,point,link,freeze", "--yard", here.name, before=here.inside())
    assert found["pause_p99_s"] < PAUSE_SECONDS_MAX


@pytest.mark.soak
def test_hosts_end_at_each_point_of_a_hand_over() -> None:
    assert run(MOVES // 5, "--faults", "point", "--share", "0.7")["ended_at"]


@pytest.mark.soak
@rooted
@pytest.mark.parametrize("fault", ["power", "full"])
def test_a_disk_loses_its_power_or_is_full(fault: str) -> None:
    assert run(MOVES // 10, "--faults", fault, "--share", "0.3")["faults"]


@pytest.mark.soak
@pytest.mark.skipif(not os.path.exists(CLOCK), reason="needs libfaketime")  # noqa: PTH110
def test_a_host_lives_three_days_ahead() -> None:
    assert run(MOVES // 10, "--faults", "kill", "--clock")["moves"]

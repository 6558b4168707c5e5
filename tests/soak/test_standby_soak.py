"""kill -9 of owners and standbys at hundreds of moments: nothing that was acknowledged is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.standby.killing import kill_at_random

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
KILLS = int(os.environ.get("STANDBY_KILLS", "300"))  # two a second, about


def test_killed_owners_and_standbys_lose_nothing(tmp_path: Path) -> None:
    for seed in range(max(KILLS // 30, 1)):
        told = kill_at_random(tmp_path / str(seed), seed, 30)
        print(f"seed {seed}: {told} acknowledged")

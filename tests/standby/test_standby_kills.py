"""kill -9 of an owner, of its standby, of both: what was acknowledged is in the replica."""

from __future__ import annotations

from pathlib import Path

from tests.standby.killing import kill_at_random


def test_killed_owners_and_standbys_lose_nothing(tmp_path: Path) -> None:
    kill_at_random(tmp_path, seed=1, kills=3)

"""Owners and standbys are killed at hundreds of moments, the power of a standby is cut: nothing is lost."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from tests.soak.test_power_cut import DISK_OCTETS, Disk
from tests.standby.killing import Two, kill_at_random

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
KILLS = int(os.environ.get("STANDBY_KILLS", "300"))  # two a second, about
CUTS = int(os.environ.get("STANDBY_CUTS", "40"))


def test_killed_owners_and_standbys_lose_nothing(tmp_path: Path) -> None:
    for seed in range(max(KILLS // 30, 1)):
        told = kill_at_random(tmp_path / str(seed), seed, 30)
        print(f"seed {seed}: {told} acknowledged")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a disk and cuts its power")
def test_a_standby_without_power_loses_nothing(tmp_path: Path) -> None:
    image, folder = tmp_path / "disk", tmp_path / "standby"
    with image.open("wb") as file:
        file.truncate(DISK_OCTETS)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    folder.mkdir()
    disk, two = Disk(image, folder), Two(tmp_path, 1)
    try:
        disk.mount()
    except subprocess.CalledProcessError:
        pytest.skip("no loop device can be mounted here")
    try:
        _cut_again_and_again(disk, two)
        asyncio.run(two.lose())
        print(f"{len(two.told)} acknowledged")
    finally:
        two.kill()
        subprocess.run(["umount", "-l", folder], check=False)


def _cut_again_and_again(disk: Disk, two: Two) -> None:
    two.start("standby")
    two.start("owner")
    for _ in range(CUTS):
        two.more()
        time.sleep(random.random() * 0.3)
        disk.cut()
        time.sleep(random.random() * 0.1)  # nothing reaches the disk, and nothing may be acknowledged
        two.kill("standby")
        disk.unmount()
        disk.mount()
        two.start("standby")
    two.more()
    two.end()

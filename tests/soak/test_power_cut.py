"""The power is cut under traffic: whatever was acknowledged is on the disk that is found afterwards.

A host's folder lies on an ext4 of its own, in a file; EXT4_IOC_SHUTDOWN with NOLOGFLUSH makes the file system forget,
at once, all that was not flushed: neither dirty pages nor the journal in memory reach the file. Root only.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from heliograph.demo.__main__ import settings
from heliograph.demo.outside import PLACE, foreign_mailbox, web_site
from heliograph.demo.stage import PASSWORD, Stage, stage
from mailbox_host.passwords import hash_password
from tests.soak.fleet import Fleet
from tests.soak.test_kills import judged, set_out
from tests.soak.traffic import PEOPLE, Journal, Traffic

EXT4_IOC_SHUTDOWN = 0x8004587D
NOLOGFLUSH = struct.pack("I", 2)
DISK_OCTETS = 256 * 1024 * 1024
CUTS = int(os.environ.get("HELIOGRAPH_CUTS", "10"))
HOST = "host-2"


class Disk:
    """An ext4 in a file, mounted on a host's folder."""

    def __init__(self, image: Path, folder: Path) -> None:
        self.image, self.folder = image, folder

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", self.image, self.folder], check=True)

    def cut(self) -> None:
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, NOLOGFLUSH)
        finally:
            os.close(handle)

    def unmount(self) -> None:
        subprocess.run(["umount", self.folder], check=True)


@contextmanager
def disk_of(here: Stage, host: str) -> Iterator[Disk]:
    """Move a host's folder onto a disk of its own."""
    folder = here.config.host_folder(host)
    kept = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    image = here.root / "disk"
    with image.open("wb") as file:
        file.truncate(DISK_OCTETS)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    disk = Disk(image, folder)
    try:
        disk.mount()
    except subprocess.CalledProcessError:
        pytest.skip("no loop device can be mounted here")
    try:
        for name, content in kept.items():
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o600)
        os.sync()
        yield disk
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


@pytest.mark.soak
@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a disk and cuts its power")
def test_what_was_acknowledged_outlives_a_power_cut(capsys: Any) -> None:
    with ExitStack() as scenery:
        scenery.enter_context(capsys.disabled())
        here = scenery.enter_context(stage(settings=settings))
        hashed = hash_password(PASSWORD.encode())
        here.ask("account", "import", "-", typed="".join(f"{name}:{hashed}\n" for name in PEOPLE))
        disk = scenery.enter_context(disk_of(here, HOST))
        outside = scenery.enter_context(foreign_mailbox(here))
        site = scenery.enter_context(web_site(here.address(PLACE), Journal))
        assert isinstance(site, Journal)
        found = asyncio.run(_run(here, disk, outside, site))
        assert found == []


async def _run(here: Stage, disk: Disk, outside: Any, site: Journal) -> list[str]:
    seed = random.randrange(1, 2**31)
    fleet, traffic, began = Fleet(here), Traffic(here, site, seed), time.monotonic()
    try:
        await set_out(fleet, traffic, outside, site)
        running = asyncio.create_task(traffic.run())
        try:
            for number in range(CUTS):
                await asyncio.sleep(0.5 + random.random())
                await _cut(fleet, disk)
                print(f"cut {number + 1}: {time.monotonic() - began:.0f} s", flush=True)
        finally:
            traffic.stop()
            await running
        return await judged(fleet, traffic, outside, site, lambda line: print(line, flush=True))
    finally:
        await fleet.stop()
        fleet.close()


async def _cut(fleet: Fleet, disk: Disk) -> None:
    """The disk stops first, then the machine; then both are there again."""
    await asyncio.to_thread(disk.cut)
    await asyncio.sleep(random.random() * 0.3)  # whoever says 250 now lies: nothing reaches the disk any more
    await fleet.kill(HOST, anyway=True)
    await asyncio.to_thread(disk.unmount)
    await asyncio.to_thread(disk.mount)
    await fleet.start(HOST)
    await fleet.ready(HOST)

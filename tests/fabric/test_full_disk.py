"""A full disk: 451 and no promise; when there is room again everything goes on, without a restart."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from heliograph.demo.stage import free_net
from heliograph.host import Host
from tests.fabric.audit import faults
from tests.fabric.town import OUTSIDE, Town, from_outside, letter, make_fabric, until

ZOE = f"zoe@{OUTSIDE}"
BIG = "full of words " * 4_000


async def limit(host: Host, pages_more: int | None) -> None:
    """Let the database grow by so many pages; None: as it likes."""
    pages = host.store.reader.one("PRAGMA page_count")
    assert pages is not None
    most = 2**30 if pages_more is None else int(pages[0]) + pages_more
    await host.store.write(lambda tx: tx.execute(f"PRAGMA max_page_count = {most}").fetchall())


async def test_a_full_database_takes_nothing_and_goes_on_when_there_is_room(town: Town) -> None:
    heidi, host = town.person("heidi", 2), town.hosts["host-2"]
    await heidi.send("bob+subscribe@reflectors.fabric.test", "")
    await town.person("alice", 3).send("heidi@fabric.test", "before")
    await town.still()
    await limit(host, 0)
    content = letter(ZOE, "heidi@fabric.test", "from outside", BIG)
    smtp = town.config.ports.smtp
    said = await from_outside(town.address(2), smtp, ZOE, ["heidi@fabric.test"], content)
    assert said.startswith("451 4.3.1"), said
    assert (await town.person("alice", 1).send("heidi@fabric.test", "by host-1", BIG)).startswith("250")
    assert (await town.person("bob", 3).send("bob@reflectors.fabric.test", "a post", BIG)).startswith("250")
    await until(lambda: len([row for row in town.waiting() if row.reply.startswith("451")]) == 2)
    assert "before" in await heidi.subjects()  # what is there can be read
    await limit(host, None)
    said = await from_outside(town.address(2), smtp, ZOE, ["heidi@fabric.test"], content)
    assert said.startswith("250"), said
    await town.still()
    subjects = await heidi.subjects()
    assert [subjects.count(one) for one in ("before", "from outside", "by host-1", "a post")] == [1, 1, 1, 1]
    await town.stop()
    assert faults(town.config.host_folder("host-2") / "heliograph.db") == []


@pytest_asyncio.fixture
async def cramped(tmp_path: Path) -> AsyncIterator[tuple[Town, Path]]:
    """A fabric of which host-2 has a disk of 3 MB of its own."""
    root = tmp_path / "fabric"
    with free_net() as net:
        here = Town(make_fabric(root, net), net)
        folder = root / "hosts" / "host-2"
        kept = {path.name: path.read_bytes() for path in folder.iterdir()}
        if await shell("mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", str(folder)):
            pytest.skip("no tmpfs can be mounted here")
        try:
            for name, content in kept.items():
                (folder / name).write_bytes(content)
                (folder / name).chmod(0o600)
            async with here.at_work():
                yield here, folder
        finally:
            await shell("umount", "-l", str(folder))


async def shell(*words: str) -> int:
    process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
async def test_a_disk_without_a_free_block_loses_nothing(cramped: tuple[Town, Path]) -> None:
    town, folder = cramped
    heidi, ballast = town.person("heidi", 2), folder / "ballast"
    fill(ballast)
    smtp, taken = town.config.ports.smtp, []
    for number in range(8):
        content = letter(ZOE, "heidi@fabric.test", f"letter {number}", BIG)
        said = await from_outside(town.address(2), smtp, ZOE, ["heidi@fabric.test"], content)
        assert said.startswith(("250", "451 4.3.1")), said
        taken += [f"letter {number}"] * said.startswith("250")
    assert len(taken) < 8  # it did fill up
    assert (await town.person("alice", 1).send("heidi@fabric.test", "by host-1", BIG)).startswith("250")
    ballast.unlink()
    await town.still()
    said = await from_outside(town.address(2), smtp, ZOE, ["heidi@fabric.test"], content)
    assert said.startswith("250"), said
    await town.still()
    assert sorted(await heidi.subjects()) == sorted({*taken, "letter 7", "by host-1"})
    await town.stop("host-2")
    assert faults(folder / "heliograph.db") == []


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return

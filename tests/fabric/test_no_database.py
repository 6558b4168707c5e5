"""A host whose database is gone: a disk that is not mounted, a file that was deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from heliograph import exits
from heliograph.control.desk import desk
from heliograph.database import FILE_NAME, MARK
from heliograph.demo.stage import free_net
from heliograph.exits import CommandError
from tests.fabric.town import Town, make_fabric


async def test_it_does_not_begin_anew_and_says_what_to_do(tmp_path: Path) -> None:
    with free_net() as net:
        config = make_fabric(tmp_path / "fabric", net)
        town = Town(config, net)
        async with town.at_work():
            await town.stop("host-2")
            folder = config.host_folder("host-2")
            (folder / FILE_NAME).rename(tmp_path / "elsewhere")
            with pytest.raises(CommandError, match=r"Is its disk mounted.*host promote host-2") as refused:
                await town.start("host-2")
            assert refused.value.code == exits.CONFIG and not (folder / FILE_NAME).exists()
            with pytest.raises(CommandError, match=r"Is its disk mounted"), desk(config, "host-2"):
                pass
            (tmp_path / "elsewhere").rename(folder / FILE_NAME)
            await town.start("host-2")
            assert await town.person("heidi", 2).subjects() == []


async def test_it_may_where_the_operator_says_so(tmp_path: Path) -> None:
    with free_net() as net:
        config = make_fabric(tmp_path / "fabric", net)
        town = Town(config, net)
        async with town.at_work():
            await town.stop("host-2")
            folder = config.host_folder("host-2")
            for path in folder.glob(f"{FILE_NAME}*"):
                path.unlink()
            (folder / MARK).unlink()
            await town.start("host-2")
            assert town.hosts["host-2"].ownership.counts()["timeline"] > 0

"""`heliograph reflector` on three real hosts: the tree drawn as it is, and as it was told; split, fold, audit."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from click.testing import CliRunner, Result

from heliograph.acts import trees
from heliograph.command import main
from heliograph.tree_drawing import draw
from heliograph.tree_growing import grow, walk
from mail.control import CreateSource, Subscribe
from reflector import Settings
from tests.fabric.growing import BOB, control, growing, hurry, strangers
from tests.fabric.town import Town

STRANGERS = strangers(4, 16)
PEOPLE = ("erin", "alice", "heidi")
SETTINGS = Settings(leaf_threshold=1, split_threshold=8, fanout_max=3, rows_max=2, rest_seconds_min=1, report_seconds=1)


@pytest_asyncio.fixture
async def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    """Three hosts; bob's list has three followers inside, on three hosts, and twelve outside: it splits."""
    async with growing(Town, tmp_path / "fabric", SETTINGS, monkeypatch) as here:
        await control(here, CreateSource("bob", "bob", "Bob's news"))
        await here.still()
        for who in STRANGERS:
            await control(here, Subscribe("bob", who))
        for name in PEOPLE:
            await here.person(name).send("bob+subscribe@reflectors.fabric.test", "")
        yield here


async def run(town: Town, *arguments: str) -> Result:
    """Run the command, which blocks, in a thread."""
    folder = str(town.config.root)
    return await asyncio.to_thread(CliRunner().invoke, main, ["-C", folder, "reflector", *arguments])


async def tree(town: Town) -> dict[str, Any]:
    done = await run(town, "show", "bob", "--json")
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout)["trees"][0])


async def whole(town: Town, lists: int) -> dict[str, Any]:
    """Wait until the tree has so many lists, and everybody is in it."""
    give_up = time.monotonic() + 20
    while True:
        root = await tree(town)
        names = [node["name"] for node in walk([root]) if node["kind"] == "sub"]
        if len(names) == lists and root["below"] == 15 and not root["move"] and not town.waiting():
            return root
        assert time.monotonic() < give_up, draw([root], time.time())
        await hurry(town)
        await asyncio.sleep(0.1)


async def until_listed(town: Town) -> tuple[object, ...]:
    """Return bob's line once its followers are all counted: how many a branch has is told by mail."""
    for _ in range(100):
        listed = json.loads((await run(town, "list", "--json")).stdout)["lists"]
        (bob,) = (row for row in listed if row["list"] == "bob")
        if bob["followers"] == 15:
            break
        await asyncio.sleep(0.05)
    return bob["host"], bob["followers"], bob["lists_below"], bob["leaves"]


async def until_drawn(town: Town, words: str) -> bool:
    for _ in range(100):
        if words in (await run(town, "show", "bob")).stdout:
            return True
        await asyncio.sleep(0.05)
    return False


async def what_is_elsewhere_is_shown_as_it_was_told(town: Town) -> None:
    assert json.loads((await run(town, "audit", "bob", "--json")).stdout)["silent"] == []
    host = town.hosts["host-3"]
    site = host._site()
    (root,) = grow([trees.show_tree(host.store.reader, site, time.time(), "bob")], time.time() + 60)
    elsewhere = [node for node in root["branches"] if node["host"] != "host-3"]
    assert elsewhere and all(60 <= node["age"] < 90 for node in elsewhere)
    assert root["below"] == 15
    assert "told 6" in draw([root], time.time())
    everywhere = {node["name"]: node["digest"] for node in walk([await tree(town)])}
    assert {node["name"]: node["digest"] for node in walk([root])} == everywhere


async def a_lost_list_is_found_and_mended(town: Town) -> None:
    lists = (await tree(town))["branches"]
    lost, host = next((node["name"], town.hosts[node["host"]]) for node in lists if node["kind"] == "sub")
    for table, column in (("source", "name"), ("subscriber", "source"), ("node", "list"), ("relayed", "list")):
        sql = f"DELETE FROM {table} WHERE {column} = ?"
        await host.store.write(lambda tx, sql=sql: tx.execute(sql, (lost,)))
    await town.person("bob").send(BOB, "who is there?")
    assert "HAS LOST ITS FOLLOWERS" in (await run(town, "audit", "bob")).stdout
    done = json.loads((await run(town, "audit", "bob", "--mend", "--json")).stdout)
    assert done["mended"] == [{"name": lost, "rows": 4}]
    await whole(town, 4)
    heard = [who for _, to, content in town.abroad.mail for who in to if b"who is there?" in content]
    assert sorted(heard) == sorted(STRANGERS)


async def it_works_while_the_fabric_is_down(town: Town) -> None:
    before = await whole(town, 4)
    await town.stop()
    assert await tree(town) == before
    assert (await run(town, "audit", "bob")).exit_code == 69
    assert (await run(town, "show", "nobody")).exit_code == 67
    assert (await run(town, "split", "alice")).exit_code == 0
    assert (await run(town, "split", "bob+sub.99")).exit_code == 67
    assert (await run(town, "split", "bob+sub.x")).exit_code == 65
    assert (await run(town, "fold", "bob")).exit_code == 0
    await town.start()
    root = await whole(town, 1)
    assert root["policy"] == "flat"


async def test_a_tree_is_drawn_folded_split_audited_and_shown_while_down(town: Town) -> None:
    while (root := await whole(town, 4))["inside"]:  # who came last is not in a leaf yet
        await hurry(town)
    assert (root["name"], root["host"], root["outside"], root["inside"]) == ("bob", "host-3", 0, 0)
    subs = [node for node in root["branches"] if node["kind"] == "sub"]
    assert [sub["lo"] for sub in subs] + [subs[-1]["hi"]] == [2**32 * n // 3 for n in range(4)]
    assert all(sub["digest"] and sub["age"] == 0 and sub["epoch"] == sub["given"] for sub in subs)
    assert {node["host"]: node["kind"] for node in root["branches"] if node["kind"] != "sub"} == {
        "host-1": "leaf",
        "host-2": "leaf",
        "host-3": "own",
    }
    drawn = (await run(town, "show", BOB)).stdout.splitlines()
    assert drawn[0] == "bob: 15 followers in 4 lists and 2 leaves"
    assert any("bob+sub.2" in line and "55555555-aaaaaaa9" in line for line in drawn), drawn
    assert await until_listed(town) == ("host-3", 15, 3, 2)
    done = await run(town, "fold", "bob", "--watch")
    assert done.exit_code == 0 and done.stderr.count("bob   ") > 1, done.output
    root = await whole(town, 1)
    assert (root["outside"], root["policy"]) == (12, "flat")
    await town.stop("host-1")
    assert (await run(town, "split", "bob")).exit_code == 0
    assert await until_drawn(town, "its answer is awaited")
    assert "hand-over to or from" in (await run(town, "list")).stdout
    await town.start("host-1")
    root = await whole(town, 4)
    assert "kept split" in (await run(town, "show", "bob")).stdout
    assert (await run(town, "auto", "bob+sub.1")).exit_code == 0
    await whole(town, 4)
    await what_is_elsewhere_is_shown_as_it_was_told(town)
    await a_lost_list_is_found_and_mended(town)
    await it_works_while_the_fabric_is_down(town)

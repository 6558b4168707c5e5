"""`heliograph status`: one host asks all; what is dead, frozen or behind is a line."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from click.testing import CliRunner

from heliograph.command import main
from heliograph.health import neighbours
from heliograph.health.screen import HEAD, duration, newest, remarks, screen, size
from tests.fabric.town import Town, until


async def survey(town: Town, name: str = "host-1") -> dict[str, dict[str, Any]]:
    return {word["host"]: word for word in (await town.hosts[name].neighbours.survey())["hosts"]}


async def test_every_host_tells_of_every_other(town: Town) -> None:
    for name in town.hosts:
        found = await survey(town, name)
        assert list(found) == ["host-1", "host-2", "host-3"] and all(word["up"] for word in found.values())
        assert sum(word["owned"]["timeline"] for word in found.values()) == town.config.buckets
        assert len({word["serial"] for word in found.values()}) == 1 and not remarks(list(found.values()))
    await too_much_trouble_is_told_in_part(town)
    await a_refused_zone_is_told_as_lint_tells_it(town)
    await strange_answers_are_lines(town)


async def too_much_trouble_is_told_in_part(town: Town) -> None:
    """All buckets twice: the word stays short enough to be heard."""
    doubles = town.hosts["host-2"].ownership.doubles
    doubles.update({(which, n): "host-3" for which in ("timeline", "reflectors") for n in range(4096)})
    found = await survey(town)
    assert found["host-2"]["up"] and len(found["host-2"]["two_owners"]) >= 100
    doubles.clear()


async def strange_answers_are_lines(town: Town) -> None:
    answers = [b"", b"[]\n", b'{"serial": "a"}\n', b"{" * 70_000, b"\xff\n", b"[" * 60_000]

    async def strange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        writer.write(answers.pop())

    streams = town.hosts["host-2"].streams
    streams._purposes = {**streams._purposes, neighbours.PURPOSE: strange}
    while answers:
        found = await survey(town)
        assert found["host-2"]["up"] is False and "answer" in found["host-2"]["trouble"]


async def a_refused_zone_is_told_as_lint_tells_it(town: Town) -> None:
    with town.config.zone_file.open("a") as file:
        file.write("b5.timeline MX 10 host-77\n")
    await until(lambda: town.hosts["host-1"].directory.problems)
    told = (await survey(town))["host-1"]["zone_problems"]
    assert told[0].startswith(f"{town.config.domain}.zone:") and told[0].endswith("add: host-77 A and its address.")


async def test_a_dead_host_is_a_line_and_a_frozen_one_in_a_bounded_time(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.stop("host-2")
    await town.person("alice").send("heidi@fabric.test", "she is at host-2")
    await until(lambda: [row for row in town.waiting() if row.attempts])
    found = await survey(town, "host-3")
    assert found["host-2"]["up"] is False and "does not answer" in found["host-2"]["trouble"]
    assert sum(word.get("queue", {}).get("deferred", 0) for word in found.values()) == 1

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # takes what comes and says nothing
        writer.close()

    frozen = await asyncio.start_server(hold, town.address(2), town.config.ports.streams)
    monkeypatch.setattr(neighbours, "ANSWER_SECONDS_MAX", 0.3)
    began = time.monotonic()
    found = await survey(town)
    frozen.close()
    assert time.monotonic() - began < 2
    assert found["host-2"]["trouble"] == "no answer within 0.3 seconds"
    assert found["host-1"]["up"] and found["host-3"]["up"]


def row(host: str, **said: Any) -> dict[str, Any]:
    return {"host": host, "address": "192.0.2.1", "up": True, "serial": 7, "queue": {}, **said}


def test_the_screen_has_a_line_for_each_and_remarks_below() -> None:
    rows = [
        row("host-1", owned={"timeline": 5, "reflectors": 6}, imap_connections=3, disk_free=5e9),
        row("host-2", serial=6, queue={"recipients": 9, "deferred": 4, "oldest_seconds": 7300.0}, not_handed_over=2),
        {"host": "host-3", "address": "192.0.2.3", "up": False, "trouble": "no answer within 3 seconds"},
        row("host-4", disk_free=1000, zone_problems=["line 3: no"]),
    ]
    head, *lines = screen(rows).split("\n")
    assert head.split("  ")[0] == HEAD[0]
    assert lines[0].split() == ["host-1", "192.0.2.1", "up", "7", "5+6", "none", "-", "3", "5.0", "GB"]
    assert "9 (4 put off)" in lines[1] and "2 h" in lines[1]
    assert lines[2].endswith("no answer within 3 seconds")
    told = "\n".join(lines[5:])
    assert "host-2 routes by zone 6, and 7 is out" in told and "host-1" not in told
    for words in ("host-2: 2 buckets", "host-2: mail waits since 2 h", "host-4: 1 KB are left", "host-4: the zone as"):
        assert words in told


def standby(**said: Any) -> dict[str, Any]:
    usual = {"host": "host-2", "mode": "preferred", "phase": "in step", "connected": True, "behind": False}
    return usual | {"lag_seconds": 0.0, "lag_octets": 0, "pages_done": 0, "pages": 0, "why": ""} | said


def move(**said: Any) -> dict[str, Any]:
    return {"to": "host-3", "handed": 30, "left": 70, "phase": "copying", "units": 9, "done": 4, "eta": 130.0} | said


def test_second_copies_and_moves_are_shown_with_what_to_do() -> None:
    gone = standby(mode="required", phase="away", connected=False, behind=True, lag_seconds=300.0, lag_octets=None)
    copy = {"of": "host-9", "whole": True, "age_seconds": 190.0, "shown": True}
    rows = [
        row("host-1", standby=standby(), moves=[move(why="")], queue={"held": 4}, coming=2),
        row(
            "host-3", standby=gone, copies=[copy], moves=[move(to="host-9", phase="waiting", eta=None, why="no answer")]
        ),
        row("host-4", standby=standby(phase="copying", pages=1000, pages_done=340, lag_seconds=None)),
        {"host": "host-9", "address": "192.0.2.9", "up": False, "trouble": "no answer"},
        row("host-5", standby=None, owned={"timeline": 1, "reflectors": 0}),
        row("host-6", standby=gone | {"behind": False}),  # just now: the first who waits has some seconds left
    ]
    for columns in (80, 120):
        lines = screen(rows, columns).split("\n")
        assert max(map(len, lines)) <= columns
        text = " ".join(" ".join(lines).split())
        for words in (
            "host-1 host-2 preferred in step none",
            "host-3 host-2 required away 5 min host-4",
            "host-4 host-2 preferred copying [###.......] 34% -",
            "host-9 host-3 - shown for reading as of 3 min ago",
            "host-1 host-3 [###.......] 30 of 100 copying 4 of 9 2 min",
            "host-3 host-9 [###.......] 30 of 100 waiting ?",
            "host-1: mail for 4 recipients is held there",
            "host-3: nothing is acknowledged, mail is answered 451: its standby host-2 is away",
            "host-3: what goes to host-9 waits: no answer",
            "host-6: its standby host-2 is away: nothing is acknowledged without it",
            "host-9 is away: host-3 shows its mailboxes for reading, as of 3 min ago",
            "without a standby, unlike others: host-5: `host standby host-5 HOST`",
        ):
            assert words in text, words
    assert not remarks([row("host-1", standby=standby())])


def test_hosts_that_were_given_up_are_followed_to_their_return() -> None:
    def told(up: bool, heir: dict[str, Any], back: dict[str, Any]) -> str:
        copy = {"of": "host-2", "whole": True, "age_seconds": 190.0, "shown": False}
        lost = row("host-2", succession={"returning": back}) | {"up": up}
        return "\n".join(remarks([row("host-3", succession=heir, copies=[copy]), lost]))

    going = told(False, {"inheriting": {"host-2": {"left": 12, "why": "host-1 does not say"}}}, {})
    assert going == "host-3 takes over what host-2 had: 12 buckets are left (host-1 does not say)"
    gone = {"inheriting": {}, "inherited": ["host-2"]}
    assert told(False, gone, {}) == "host-2 was given up, and host-3 has all that it had"
    back = told(True, gone, {"left": 3, "held": True, "why": ""})
    assert "host-2 was given up, and gives what only it has: 3 buckets are left, its queue waits" in back
    assert told(True, gone, {}).endswith("has nothing left to give: `host welcome host-2`")


def test_a_serial_wraps() -> None:
    assert newest([4_294_967_290, 3, 4_294_967_295]) == 3


def test_units() -> None:
    assert [duration(s) for s in (1, 119, 121, 7200, 200_000)] == ["1 s", "119 s", "2 min", "2 h", "2 d"]
    assert [size(n) for n in (10, 2e6, 3.25e9, 4e12)] == ["0 KB", "2.0 MB", "3.2 GB", "4.0 TB"]


async def test_the_command_asks_any_one_host(town: Town) -> None:
    def ask(*more: str) -> tuple[int, dict[str, Any]]:
        done = CliRunner().invoke(main, ["-C", str(town.config.root), "status", "--json", *more])
        return done.exit_code, json.loads(done.stdout)

    code, told = await asyncio.to_thread(ask)
    assert code == 0 and [host["up"] for host in told["hosts"]] == [True] * 3 and told["remarks"] == []
    await town.stop("host-1", "host-2")
    folder = town.config.host_folder("host-2")
    folder.rename(folder.with_name("elsewhere"))  # host-2 is on another machine, and away
    code, told = await asyncio.to_thread(ask)
    assert code == 69
    assert [(host["host"], host["up"], "trouble" in host) for host in told["hosts"]] == [
        ("host-1", False, False),
        ("host-2", False, True),
        ("host-3", True, False),
    ]
    code, told = await asyncio.to_thread(ask, "--host", "host-3")
    assert code == 0 and len(told["hosts"]) == 1
    folder.with_name("elsewhere").rename(folder)

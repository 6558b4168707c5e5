"""`host promote` and `host welcome`: shown first, refused with what to do, and the zone that they leave."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from directory.fabric import to_directory
from directory.hosts import with_standby
from directory.losses import with_heir
from heliograph.command import main
from heliograph.commands import succession
from heliograph.configuration.settings import FILE_NAME, Config
from heliograph.exits import CommandError
from heliograph.zone.file import draft, read_live
from tests.fabric.town import make_fabric

UP = {"up": True, "copies": [], "succession": {"returning": {}}}
COPY = {"of": "host-2", "whole": True, "as_of": 1.7e9, "age_seconds": 300.0, "pages_done": 9, "pages": 9}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    found = make_fabric(tmp_path / "f", "127.0.0.0/24", buckets=16)
    draft(found, lambda zone: with_standby(zone, "host-2", "host-3")).write()
    return found


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the hosts say; host-2 says nothing."""
    said: dict[str, Any] = {"host-1": UP, "host-3": UP | {"copies": [COPY]}, "host-2": {"up": False}}
    monkeypatch.setattr(succession, "_words", lambda _: said)
    return said


def run(config: Config, *words: str) -> dict[str, Any]:
    done = CliRunner().invoke(main, ["-C", str(config.root), "host", *words, "--json"])
    answer: dict[str, Any] = json.loads(done.stdout)
    if done.exit_code:
        raise CommandError(done.exit_code, answer["error"]["message"])
    return answer


def lost(config: Config) -> dict[str, str]:
    return dict(to_directory(read_live(config)[1]).lost)


def test_a_promotion_is_shown_then_written(config: Config, words: dict[str, Any]) -> None:
    before = config.zone_file.read_bytes()
    shown = run(config, "promote", "host-2")
    assert shown["heir"] == "host-3" and shown["timeline"] and not shown["applied"]
    assert config.zone_file.read_bytes() == before
    assert run(config, "promote", "host-2", "--apply")["applied"] and lost(config) == {"host-2": "host-3"}
    assert "host-2" not in to_directory(read_live(config)[1]).timeline
    with pytest.raises(CommandError, match="says so already"):
        run(config, "promote", "host-2", "--apply")


def shown(config: Config) -> str:
    return CliRunner().invoke(main, ["-C", str(config.root), "host", "promote", "host-2", "--force"]).stdout


def test_how_old_the_copy_is_and_what_may_be_missing_is_said_first(config: Config, words: dict[str, Any]) -> None:
    assert run(config, "promote", "host-2")["copy"]["age_seconds"] == 300.0
    text = shown(config)
    assert "is of 2023-11-1" in text and "5 min ago" in text
    assert "what host-2 acknowledged later, with one disk, is not in it" in text
    assert "last heard" not in text  # it started since
    words["host-3"] = UP | {"copies": [COPY | {"lag_octets": 70_000, "heard_at": time.time() - 600}]}
    assert "host-3 last heard of host-2 10 min ago" in shown(config)
    path = config.root / FILE_NAME
    path.write_text(path.read_text().replace('# mode = "preferred" ', 'mode = "required" '))
    assert "all that host-2 acknowledged is in it" in shown(config)
    run(config, "promote", "host-2")  # what it lacks was never acknowledged
    words["host-1"] = UP | {"copies": [COPY]}  # it was the standby once
    with pytest.raises(CommandError, match="host-1 is not the standby of host-2"):
        run(config, "promote", "host-2", "--to", "host-1")
    words["host-3"] = UP
    assert "host-3 has no whole copy of host-2: all of it waits" in shown(config)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"host-2": UP}, "host drain host-2"),
        ({"host-3": {"up": False}}, "host-3 does not answer"),
        ({"host-3": UP}, "has no copy of host-2"),
        ({"host-3": UP | {"copies": [COPY | {"whole": False, "pages_done": 4}]}}, "not whole .4 of 9 pages"),
        ({"host-3": UP | {"copies": [COPY | {"lag_octets": 70_000}]}}, "lacks some 70 KB"),
    ],
)
def test_what_would_lose_something_is_refused(
    config: Config, words: dict[str, Any], said: dict[str, Any], why: str
) -> None:
    words |= said
    with pytest.raises(CommandError, match=why):
        run(config, "promote", "host-2", "--apply")
    assert lost(config) == {}
    run(config, "promote", "host-2", "--apply", "--force")
    assert lost(config) == {"host-2": "host-3"}


def test_who_may_not_be_promoted(config: Config, words: dict[str, Any]) -> None:
    for host, more, why in (
        ("host-9", (), "no host of the zone"),
        ("host-3", (), "has no standby"),
        ("host-2", ("--to", "host-2"), "cannot be the heir"),
        ("host-1", ("--to", "host-3"), "zone primary host-3"),
    ):
        with pytest.raises(CommandError, match=why):
            run(config, "promote", host, *more, "--apply", "--force")


def test_who_has_something_left_to_give_is_not_welcome_yet(config: Config, words: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match="does not say that it is lost"):
        run(config, "welcome", "host-2", "--apply")
    draft(config, lambda zone: with_heir(zone, "host-2", "host-3")).write()
    with pytest.raises(CommandError, match="does not answer"):
        run(config, "welcome", "host-2", "--apply")
    words["host-2"] = UP | {"succession": {"returning": {"left": 3, "held": False, "why": "host-3 is away"}}}
    with pytest.raises(CommandError, match="3 buckets left to give back: host-3 is away"):
        run(config, "welcome", "host-2", "--apply")
    words["host-2"] = UP
    assert not run(config, "welcome", "host-2")["applied"] and lost(config) == {"host-2": "host-3"}
    run(config, "welcome", "host-2", "--apply")
    assert lost(config) == {}

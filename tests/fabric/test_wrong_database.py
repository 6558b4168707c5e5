"""A host whose database is empty, damaged, another host's: it serves nobody, and command, doctor and start say why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from heliograph import exits
from heliograph.command import main
from heliograph.configuration.config import load
from heliograph.database import FILE_NAME, MARK, open_database
from heliograph.exits import CommandError

Damage = Callable[[Path, Path], object]


def truncated(mine: Path, other: Path) -> None:
    mine.write_bytes(b"")


def cut(mine: Path, other: Path) -> None:
    mine.write_bytes(mine.read_bytes()[:100_000])


def overwritten(mine: Path, other: Path) -> None:
    mine.write_bytes(b"not a database, " * 10_000)


def from_another_host(mine: Path, other: Path) -> None:
    shutil.copy(other, mine)


@pytest.fixture
def fabric(tmp_path: Path) -> Path:
    folder = tmp_path / "fabric"
    done = CliRunner().invoke(main, ["init", str(folder), "--hosts", "2", "--buckets", "64", "--net", "127.77.0.0/24"])
    assert done.exit_code == 0, done.output
    for name in ("host-1", "host-2"):
        open_database(load(folder).host_folder(name)).close()
    return folder


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (truncated, "gone, or empty"),
        (cut, "is damaged"),
        (overwritten, "is damaged"),
        (from_another_host, "not the database that host-2 had"),
    ],
)
def test_it_serves_nobody_and_says_what_to_do(fabric: Path, damage: Damage, said: str) -> None:
    host = load(fabric).host_folder("host-2")
    damage(host / FILE_NAME, load(fabric).host_folder("host-1") / FILE_NAME)
    with pytest.raises(CommandError, match=f"{said}.*host promote host-2.*restore") as refused:
        open_database(host)
    assert refused.value.code == exits.CONFIG
    asked = CliRunner().invoke(main, ["-C", str(fabric), "queue", "list", "--host", "host-2"])
    assert asked.exit_code == exits.CONFIG and said in asked.output and "Traceback" not in asked.output
    findings = json.loads(CliRunner().invoke(main, ["-C", str(fabric), "doctor", "--json"]).stdout)["findings"]
    assert [said in row["remedy"] for row in findings if row["check"] == "mailboxes" and row["grade"] == "fault"] == [
        True
    ]


def test_a_mark_of_an_earlier_version_learns_which_database_it_is(fabric: Path) -> None:
    host = load(fabric).host_folder("host-2")
    (host / MARK).write_bytes(b"")
    open_database(host).close()
    assert len((host / MARK).read_text()) == 32


def test_the_doctor_misses_the_key_without_which_no_host_starts(fabric: Path) -> None:
    (load(fabric).host_folder("host-2") / "token.key").unlink()
    findings = json.loads(CliRunner().invoke(main, ["-C", str(fabric), "doctor", "--json"]).stdout)["findings"]
    assert any("token.key" in row["text"] for row in findings if row["grade"] == "fault")

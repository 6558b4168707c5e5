"""The operator sets, shows and takes away a footer, with the fabric down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from heliograph import exits
from heliograph.command import main
from heliograph.configuration.config import load
from heliograph.tables import MIGRATIONS
from reflector.sources import create_source
from store import Store


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One host, and bob's list."""
    folder = tmp_path_factory.mktemp("fresh") / "f"
    done = CliRunner().invoke(main, ["init", str(folder), "--hosts", "1", "--buckets", "64"])
    assert done.exit_code == 0, done.output
    store = Store(load(folder).host_folder("host-1") / "heliograph.db", MIGRATIONS)
    store.write_now(lambda tx: create_source(tx, "bob", "bob", "Bob", 0, 1.7e9))
    store.close()
    return folder


def run(fabric: Path, *words: str, told: str | None = None) -> dict[str, Any]:
    done = CliRunner().invoke(main, ["-C", str(fabric), "reflector", "footer", *words, "--json"], input=told)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer | {"code": done.exit_code}


def test_it_is_set_shown_and_taken_away(fabric: Path) -> None:
    assert run(fabric, "bob")["footer"] == ""
    assert run(fabric, "bob", "--text", "One\nTwo ")["footer"] == "One\nTwo"
    assert run(fabric, "bob@reflectors.fabric.test")["footer"] == "One\nTwo"
    assert run(fabric, "bob", "--file", "-", told="Grüße\n\n")["footer"] == "Grüße"
    done = CliRunner().invoke(main, ["-C", str(fabric), "reflector", "footer", "bob"])
    assert done.output == "Grüße\n"
    assert run(fabric, "bob", "--none")["footer"] == run(fabric, "bob")["footer"] == ""
    assert CliRunner().invoke(main, ["-C", str(fabric), "reflector", "footer", "bob"]).output == "bob has no footer\n"


def test_what_cannot_be_one_is_told_why_and_changes_nothing(fabric: Path) -> None:
    run(fabric, "bob", "--text", "Kept")
    for words, code, why in (
        (["bob", "--text", "x\n" * 11 + "x"], exits.DATA, "12 lines: 10 at most"),
        (["bob", "--text", "a\x1bb"], exits.DATA, "U+001B"),
        (["bob", "--text", " "], exits.DATA, "--none takes a footer away"),
        (["bob", "--text", "x", "--none"], exits.USAGE, "at most"),
        (["dora", "--text", "x"], exits.NOUSER, "serves no such list"),
        (["dora"], exits.NOUSER, "serves no such list"),
        (["b@b", "--none"], exits.DATA, "no name"),
    ):
        answer = run(fabric, *words)
        assert answer["code"] == code and why in answer["error"]["message"], words
    assert run(fabric, "bob")["footer"] == "Kept"


def test_a_file_that_is_no_text_is_told_as_such(fabric: Path, tmp_path: Path) -> None:
    (tmp_path / "footer").write_bytes(b"gr\xfcn")
    assert "U+FFFD" in run(fabric, "bob", "--file", str(tmp_path / "footer"))["error"]["message"]
    assert run(fabric, "bob", "--file", str(tmp_path / "none"))["code"] in (exits.NOINPUT, exits.USAGE)

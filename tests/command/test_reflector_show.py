"""`heliograph reflector show` where a host of this machine stands still: the others are not kept waiting."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from heliograph.command import main
from heliograph.commands import reflector
from heliograph.configuration.config import load
from heliograph.control.control import _listen
from heliograph.lock import HostLock
from reflector.sources import create_source
from store import Transaction


def show(folder: Path) -> Result:
    return CliRunner().invoke(main, ["-C", str(folder), "reflector", "show", "bob"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three hosts, all down; host-1 has bob's list."""
    folder = tmp_path / "f"
    assert CliRunner().invoke(main, ["init", str(folder), "--hosts", "3"]).exit_code == 0
    assert show(folder).exit_code == 67
    database = sqlite3.connect(load(folder).host_folder("host-1") / "heliograph.db")
    create_source(Transaction(database), "bob", "bob", "Bob's news", 0, time.time())
    database.commit()
    database.close()
    return folder


@pytest.mark.parametrize(("still", "code"), [("host-2", 0), ("host-1", 75)])
def test_a_host_that_stands_still_is_left_out_and_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, still: str, code: int
) -> None:
    monkeypatch.setattr(reflector, "ANSWER_SECONDS_MAX", 0.1)
    place = load(folder).host_folder(still)
    with HostLock(place), _listen(place) as listening:
        listening.listen(1)  # it takes a question, and never answers
        done = show(folder)
    assert done.exit_code == code, done.output
    assert f"{still}: the host did not answer" in done.stderr
    assert ("bob" in done.stdout) == (code == 0)

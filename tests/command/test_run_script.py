"""The passwords that `make run` makes can be typed after an option of any program."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "run.py"


def test_no_password_looks_like_an_option(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = importlib.util.spec_from_file_location("run_script", SCRIPT)
    assert found is not None and found.loader is not None
    script = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)
    monkeypatch.setattr(script, "FOLDER", str(tmp_path))
    monkeypatch.setattr(script, "ask", lambda *words, typed="": {"accounts": []})
    made = [word for _ in range(500) for word in script.passwords().values()]
    assert len(set(made)) == 1000 and all(word.isalnum() for word in made)

"""A host that cannot start says why in a line, and ends with a code that says whose affair it is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from heliograph import exits
from tests.command.one_host import make_one_host

Damage = Callable[[Path], object]


def no_certificate(tls: Path) -> None:
    (tls / "host-1.pem").write_text("rubbish")


def anothers_key(tls: Path) -> None:
    (tls / "host-1.key").write_bytes((tls / "host-1.stream.key").read_bytes())


def no_key(tls: Path) -> None:
    (tls / "host-1.key").unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [(no_certificate, "doctor` says which"), (anothers_key, "doctor` says which"), (no_key, "host-1.key: is missing")],
)
def test_a_certificate_that_cannot_be_used(tmp_path: Path, damage: Damage, said: str) -> None:
    folder = make_one_host(tmp_path / "fabric")
    damage(folder / "tls")
    words = [sys.executable, "-m", "heliograph", "-C", str(folder), "host", "host-1"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert done.returncode == exits.CONFIG and said in done.stderr and "Traceback" not in done.stderr

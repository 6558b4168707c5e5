"""What a person sees: passwords asked for, errors of every kind."""

from __future__ import annotations

import errno
import json
import os
import pty
import sqlite3
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from heliograph.command import main
from heliograph.commands.frame import Commands
from heliograph.configuration.config import load
from heliograph.tables import MIGRATIONS
from mailbox_host.accounts import stored_hash
from mailbox_host.passwords import verify
from store import Store


def _full() -> Exception:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


def typed_at_a_terminal(root: Path, *answers: bytes) -> tuple[int, bytes]:
    """Run `account add alice` at a terminal of its own and type; return the exit code and what was shown."""
    arguments = [sys.executable, "-m", "heliograph", "-C", str(root), "account", "add", "alice"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(arguments[0], arguments)
    shown = b""
    waiting = list(answers)
    try:
        while part := os.read(terminal, 1024):
            shown += part
            if part.rstrip().endswith(b":") and waiting:
                os.write(terminal, waiting.pop(0) + b"\n")
    except OSError:  # the terminal closes with the process
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_password_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    root = tmp_path / "f"
    assert CliRunner().invoke(main, ["init", str(root), "--buckets", "8"]).exit_code == 0
    code, shown = typed_at_a_terminal(root, b"first", b"other", b"zyx", b"zyx")
    assert code == 0, shown
    assert b"zyx" not in shown
    assert shown.count(b"Once more") == 2
    store = Store(load(root).host_folder("host-1") / "heliograph.db", MIGRATIONS)
    assert verify(stored_hash(store.reader, "alice"), b"zyx")
    store.close()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (PermissionError(13, "Permission denied", "/x"), 77, "run this as the user"),
        (FileNotFoundError(2, "No such file", "/x"), 66, "/x: No such file: name a file"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 75, "/x: the disk is full: make room"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), 77, "/x: Read-only file system: mount"),
        (_full(), 75, "the disk is full"),
        (RuntimeError("boom"), 70, "a fault of ours: boom"),
    ],
)
def test_errors_have_codes(error: Exception, code: int, said: str) -> None:
    @click.group(cls=Commands)
    def group() -> None:
        """Nothing."""

    @group.command()
    @click.option("--json", is_flag=True)
    def fail(json: bool) -> None:
        raise error

    done = CliRunner().invoke(group, ["fail", "--json"])
    assert done.exit_code == code
    assert said in done.stderr
    assert json.loads(done.stdout)["error"]["code"] == code
    assert ("Traceback" in done.stderr) == (code == 70)


def test_nothing_typed_is_helped_and_a_backup_that_is_not_there_is_told() -> None:
    done = CliRunner().invoke(main, [])
    assert done.exit_code == 64 and done.stderr.startswith("Usage:") and done.stderr.count("Usage:") == 1
    done = CliRunner().invoke(main, ["restore", "/nonexistent/x.tar"])
    assert done.exit_code == 66 and "/nonexistent/x.tar" in done.stderr

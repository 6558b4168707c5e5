"""A fabric of one host that is down, with alice: what the operator's commands are tried on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from click.testing import CliRunner

from heliograph.command import main
from heliograph.configuration.config import load
from heliograph.tables import MIGRATIONS
from mailbox_host import accounts
from store import Store, Transaction

Result = TypeVar("Result")


def make_one_host(folder: Path) -> Path:
    done = CliRunner().invoke(main, ["init", str(folder), "--hosts", "1", "--buckets", "64"])
    assert done.exit_code == 0, done.output
    on_host(folder, lambda tx: accounts.add(tx, "alice", None, 1.7e9))
    return folder


def on_host(folder: Path, work: Callable[[Transaction], Result]) -> Result:
    """Work in its database."""
    store = Store(load(folder).host_folder("host-1") / "heliograph.db", MIGRATIONS)
    try:
        return store.write_now(work)
    finally:
        store.close()

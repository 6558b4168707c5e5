"""What accounts keep, as the operator sees and sets it, with the fabric down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from heliograph.command import main
from heliograph.configuration.config import load
from heliograph.tables import MIGRATIONS
from mailbox_host.sent import keeps_sent
from store import Store
from tests.command.one_host import make_one_host, on_host

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_one_host(tmp_path_factory.mktemp("fresh") / "f")


@pytest.fixture
def run(fabric: Path) -> Iterator[Run]:
    yield lambda *arguments: CliRunner().invoke(main, ["-C", str(fabric), "account", *arguments])


def test_a_quota_is_set_shown_and_taken_back(run: Run) -> None:
    assert "alice keeps 0 octets in 0 messages; may keep none, any number of messages" in run("quota", "alice").stdout
    assert run("quota", "alice", "2G", "--messages", "1000").exit_code == 0
    assert json.loads(run("quota", "alice", "--json").stdout)["octets_max"] == 2 << 30
    assert "may keep 2G, 1000 messages" in run("quota", "alice").stdout
    assert json.loads(run("quota", "alice", "default", "--json").stdout)["octets_max"] is None
    assert json.loads(run("quota", "alice", "--json").stdout)["messages_max"] == 1000  # not named, not changed
    assert run("quota", "alice", "2 apples").exit_code == 65
    assert run("quota", "nobody", "2G").exit_code == 67


def test_retention_is_a_folders(run: Run) -> None:
    assert run("retention", "alice", "Trash", "--days", "30").stdout.startswith("alice, Trash: days 30, messages as")
    assert run("retention", "alice", "Trash", "--messages", "none").stdout.startswith(
        "alice, Trash: days 30, messages n"
    )
    assert run("retention", "alice", "Trash", "--days", "0").exit_code == 65
    assert run("retention", "alice", "Nowhere", "--days", "3").exit_code == 65


def test_a_wrong_count_is_found_and_mended(run: Run, fabric: Path) -> None:
    from heliograph.checkup.mailboxes import mailboxes

    assert [finding.grade for finding in mailboxes(load(fabric))] == ["good"]
    on_host(fabric, lambda tx: tx.execute("UPDATE account SET octets = 7"))
    (fault,) = mailboxes(load(fabric))
    assert fault.grade == "fault" and "alice" in fault.text and fault.remedy == "heliograph account recount"
    assert json.loads(run("recount", "--json").stdout) == {"recounted": 1}
    assert [finding.grade for finding in mailboxes(load(fabric))] == ["good"]


def test_who_keeps_what_is_sent_is_said(run: Run, fabric: Path) -> None:
    assert run("sent", "alice", "host").stdout == "the host keeps what alice sends\n"
    store = Store(load(fabric).host_folder("host-1") / "heliograph.db", MIGRATIONS)
    assert keeps_sent(store.reader, "alice")
    store.close()
    assert json.loads(run("sent", "alice", "client", "--json").stdout)["sent"] == "client"
    assert run("sent", "alice", "nobody").exit_code == 64

"""Applications, newsletters and lists of feeds, as the operator sees them, with the fabric down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from heliograph.command import main
from heliograph.configuration.config import load
from heliograph.keys import TOKEN_KEY, read_key
from ingest import applications
from ingest.applications import is_token
from ingest.mailboxes import rows
from ingest.mailboxes.vault import Vault
from mailbox_host import accounts
from tests.command.one_host import make_one_host, on_host

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_one_host(tmp_path_factory.mktemp("fresh") / "f")


@pytest.fixture
def run(fabric: Path) -> Iterator[Run]:
    yield lambda *arguments, **more: CliRunner().invoke(main, ["-C", str(fabric), *arguments], **more)


def test_a_token_is_shown_once_and_kept_as_its_fingerprint(run: Run, fabric: Path) -> None:
    made = json.loads(run("app", "add", "builds", "--owner", "alice", "--title", "Builds", "--json").stdout)
    token = made["token"]
    assert is_token(token) and made["address"].startswith("builds@reflectors.")
    assert on_host(fabric, lambda tx: applications.opened_by(tx, "builds", token)) is not None
    for path in load(fabric).host_folder("host-1").glob("heliograph.db*"):
        assert token.encode() not in path.read_bytes()
    assert token not in run("app", "list").stdout and "builds" in run("app", "list").stdout
    assert run("app", "add", "builds", "--owner", "alice").exit_code == 73
    assert run("app", "add", "other", "--owner", "nobody").exit_code == 67
    assert run("app", "add", "alice", "--owner", "alice").exit_code == 65
    fresh = run("app", "rotate", "builds").stdout.split()[-1]
    assert on_host(fabric, lambda tx: applications.opened_by(tx, "builds", token)) is None
    assert on_host(fabric, lambda tx: applications.opened_by(tx, "builds", fresh)) is not None
    assert run("app", "revoke", "builds").exit_code == 0 and run("app", "revoke", "builds").exit_code == 67
    assert json.loads(run("app", "list", "--json").stdout)["applications"] == []
    assert run("app", "add", "builds", "--owner", "alice").exit_code == 0  # hers again


def test_a_newsletters_address_is_made_listed_and_dropped(run: Run) -> None:
    address = run("newsletter", "add", "alice", "The Weekly").stdout.strip()
    assert address.startswith("alice+news.") and len(address.partition("@")[0]) == 35
    assert run("newsletter", "add", "alice", "the weekly").stdout.strip() == address
    assert address in run("newsletter", "list").stdout
    assert run("newsletter", "drop", "alice", "The Weekly").exit_code == 0
    assert run("newsletter", "drop", "alice", "The Weekly").exit_code == 67
    assert run("newsletter", "add", "nobody", "x").exit_code == 67


def test_who_is_gone_gets_no_mail_and_answers_for_nothing(run: Run, fabric: Path) -> None:
    on_host(fabric, lambda tx: accounts.add(tx, "carol", None, 1.7e9))
    token = run("app", "add", "lamps", "--owner", "carol").stdout.split()[-1]
    run("newsletter", "add", "carol", "Weekly")
    assert run("account", "remove", "carol", "--yes").exit_code == 0
    assert on_host(fabric, lambda tx: applications.opened_by(tx, "lamps", token)) is None
    assert "carol" not in run("newsletter", "list").stdout


def test_a_list_of_feeds_is_asked_for_and_what_cannot_be_is_said(run: Run, fabric: Path, tmp_path: Path) -> None:
    path = tmp_path / "feeds.opml"
    path.write_text(
        '<opml><body><outline text="News"><outline xmlUrl="https://a.example/feed"/></outline>'
        '<outline xmlUrl="ftp://b.example/"/></body></opml>'
    )
    done = json.loads(run("feed", "import", str(path), "--follower", "alice", "--json").stdout.splitlines()[-1])
    assert done["asked"] == 1 and [each["url"] for each in done["bad"]] == ["ftp://b.example/"]
    waiting = run("queue", "list", "--json").stdout
    assert "follow@b" in waiting
    assert run("feed", "import", "/no/such/file", "--follower", "alice").exit_code == 66
    assert run("feed", "import", "-", "--follower", "alice", input="no").exit_code == 65


def test_a_feed_is_suspended_and_resumed_and_says_why_it_is_due(run: Run, fabric: Path) -> None:
    on_host(
        fabric,
        lambda tx: tx.execute(
            "INSERT INTO feed (url, domain, bucket, source, title, created_at, next_due, gap, last_at, last_answer)"
            " VALUES ('https://a.example/feed', 'a.example', 1, 'a-1', 'A', 0, 1, 14400, 1, '304')"
        ),
    )
    assert "every 4 hours" in run("feed", "show", "a-1").stdout and "304" in run("feed", "list").stdout
    assert run("feed", "suspend", "https://a.example/feed").exit_code == 0
    assert "none is asked" in run("feed", "show", "a-1").stdout
    on_host(
        fabric,
        lambda tx: tx.execute("INSERT INTO push VALUES (1, 'https://hub.example/', 't', 'x', 's', 0, 9, 0, 0, 0)"),
    )
    told = json.loads(run("feed", "show", "a-1", "--json").stdout)
    assert "hub.example/ does not ring" in told["hub"] and told["push"]["lease_until"] == 0
    assert "not due" in run("feed", "list").stdout and "suspended" in run("feed", "list").stdout
    shown = dict(
        line.split(maxsplit=1) for line in run("feed", "show", "a-1").stdout.splitlines() if " " in line.strip()
    )
    assert shown["next_due"] == "never" and shown["last_at"].endswith(":01") and shown["gap"] == "14400 s"
    assert shown["followers"] == "not known yet"
    refused = run("feed", "poll", "a-1")
    assert refused.exit_code == 69 and "feed resume" in refused.stderr
    assert run("feed", "resume", "a-1").exit_code == 0 and "not suspended" in run("feed", "resume", "a-1").stderr
    assert run("feed", "poll", "a-1").exit_code == 0 and run("feed", "suspend", "b-1").exit_code == 67
    assert b'xmlUrl="https://a.example/feed"' in run("feed", "export").stdout_bytes
    assert b"a.example" not in run("feed", "export", "--follower", "alice").stdout_bytes


def test_a_mailbox_elsewhere_is_added_listed_suspended_and_removed(run: Run, fabric: Path) -> None:
    url = "imaps://alice%40b.example@imap.b.example/Lists/x"
    add = ("mailbox", "add", "alice", url, "--password-file", "-", "--no-check")
    made = json.loads(run(*add, "--json", input="open sesame\n").stdout)
    name = made["source"]
    assert made["url"] == url and name.startswith("lists-x-imap-b-example-") and len(name) <= 30
    assert run(*add, input="open sesame").exit_code == 73  # it is read already
    for path in load(fabric).host_folder("host-1").glob("heliograph.db*"):
        assert b"open sesame" not in path.read_bytes() and b"open sesame".hex().encode() not in path.read_bytes()
    secret = on_host(fabric, lambda tx: rows.find(tx, name)).secret
    assert Vault(read_key(load(fabric), "host-1", TOKEN_KEY)).opened(secret, name) == b"open sesame"
    assert name in run("mailbox", "list").stdout and url in run("mailbox", "show", name).stdout
    assert run("mailbox", "poll", name).exit_code == 0 and run("mailbox", "suspend", name).exit_code == 0
    assert "not due" in run("mailbox", "list").stdout and run("mailbox", "poll", name).exit_code == 69
    assert run("mailbox", "resume", name).exit_code == 0 and run("mailbox", "resume", name).exit_code == 69
    assert run("mailbox", "password", name, "--password-file", "-", "--no-check", input="new").exit_code == 0
    assert run("mailbox", "remove", name).exit_code == 0 and run("mailbox", "show", name).exit_code == 67
    assert "no mailboxes" in run("mailbox", "list").stdout


def test_a_mailbox_that_cannot_be_read_is_not_added(run: Run) -> None:
    def add(url: str, account: str = "alice", *more: str) -> Result:
        return run("mailbox", "add", account, url, "--password-file", "-", *more, input="x")

    assert add("imaps://a@127.0.0.1/").exit_code == 69  # inside, and refused before anything is said
    assert "inside the operator's network" in add("imaps://a@127.0.0.1/").stderr
    assert add("imaps://a@localhost:143/").exit_code == 69
    told = add("imaps://a:secret@b.example/")
    assert told.exit_code == 65 and "secret" not in told.output
    assert add("imap://a@b.example/").exit_code == 65 and add("imaps://b.example/", "alice").exit_code == 65
    assert add("imaps://a@b.example/", "nobody", "--no-check").exit_code == 67
    assert add("imaps://a@b.example/", "alice", "--no-check", "--name", "No Name").exit_code == 65
    assert add("imaps://a@b.example/", "alice", "--no-check", "--name", "builds").exit_code in (0, 73)

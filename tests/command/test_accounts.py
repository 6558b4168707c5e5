"""Accounts, with the fabric down: the command opens the hosts' databases itself."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from heliograph.command import main
from heliograph.configuration.config import load
from heliograph.lock import HostLock
from heliograph.tables import MIGRATIONS
from mail.control import CreateSource, RemoveSource, read_controls
from mail.envelope import Recipient
from mail.feed_control import OwnerGone
from mail.headers import Headers
from mailbox_host.accounts import stored_hash
from mailbox_host.passwords import verify
from spool.queue import Queue
from store import Bodies, Store, Transaction

HASH = "$argon2id$v=19$m=19456,t=2,p=1$aGVsaW9ncmFwaHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 buckets: alice and carol live on host-2, dave on host-1, bob and erin on host-3."""
    folder = tmp_path_factory.mktemp("fresh") / "f"
    done = CliRunner().invoke(main, ["init", str(folder), "--hosts", "3", "--buckets", "64"])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def root(fresh: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fresh, tmp_path / "f"))


@pytest.fixture
def run(root: Path) -> Run:
    def invoke(*arguments: str, typed: str | bytes = "") -> Result:
        return CliRunner().invoke(main, ["-C", str(root), *arguments], input=typed)

    return invoke


def answer(done: Result) -> Any:
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def opened(root: Path, host: str) -> Store:
    return Store(load(root).host_folder(host) / "heliograph.db", MIGRATIONS)


def test_an_account_is_made_at_the_owner_of_its_bucket(root: Path, run: Run) -> None:
    made = answer(run("account", "add", "alice@fabric.test", "--password-file", "-", "--json", typed="secret\n"))
    assert made == {"account": "alice", "host": "host-2", "address": "alice@fabric.test"}
    answer(run("account", "add", "dave", "--password-file", "-", "--json", typed="secret"))
    assert run("account", "list").stdout.split() == ["alice", "host-2", "dave", "host-1"]
    store = opened(root, "host-2")
    assert verify(stored_hash(store.reader, "alice"), b"secret")
    store.close()


def test_the_reflector_is_told_in_the_same_transaction(root: Path, run: Run) -> None:
    answer(run("account", "add", "alice", "--password-file", "-", "--json", typed="x"))
    answer(run("account", "remove", "alice", "--yes", "--json"))
    told = [row["recipient"] for row in answer(run("queue", "list", "--json"))["waiting"]]
    assert [to for to in told if "control" in to] == ["alice+control@b29.reflectors.fabric.test"] * 2
    # The other hosts are, too: her programs post no more.
    assert len([to for to in told if to.startswith("follow@b")]) == 2 == len(told) - 2
    store = opened(root, "host-2")
    bodies = [Bodies.read(store.reader, row[0]) for row in store.reader.all("SELECT id FROM body ORDER BY id")]
    told = [control for body in bodies for control in read_controls(Headers.parse(body))]
    assert [each for each in told if each != OwnerGone("alice")] == [
        CreateSource("alice", "alice"),
        RemoveSource("alice"),
    ]
    assert {row[0] for row in store.reader.all("SELECT signed_by FROM queue_message")} == {"host-2"}
    store.close()


@pytest.mark.parametrize(
    ("typed", "password"),
    [
        (b"x\n", b"x"),
        (b"two\n\n", b"two\n"),
        (b"windows\r\n", b"windows"),
        ("größe\n".encode(), "größe".encode()),
        (b" spaces \n", b" spaces "),
        (b"\xff\n", b"\xff"),
    ],
)
def test_a_password_is_what_was_typed_but_one_line_end(root: Path, run: Run, typed: bytes, password: bytes) -> None:
    answer(run("account", "add", "alice", "--password-file", "-", "--json", typed=typed))
    store = opened(root, "host-2")
    assert verify(stored_hash(store.reader, "alice"), password)
    store.close()


def test_a_password_may_come_from_a_file_and_be_changed(root: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "p").write_text("first\n")
    answer(run("account", "add", "alice", "--password-file", str(tmp_path / "p"), "--json"))
    answer(run("account", "passwd", "alice", "--password-file", "-", "--json", typed="second\n"))
    store = opened(root, "host-2")
    assert verify(stored_hash(store.reader, "alice"), b"second")
    assert not verify(stored_hash(store.reader, "alice"), b"first")
    store.close()


@pytest.mark.parametrize(
    ("arguments", "typed", "code", "said"),
    [
        (["account", "add", "alice", "--password-file", "-"], "", 65, "empty"),
        (["account", "add", "alice", "--password-file", "-"], "a\0b", 65, "NUL"),
        (["account", "add", "alice", "--password-file", "-"], "x" * 1025, 65, "1024"),
        (["account", "add", "alice", "--password-file", "/nonexistent"], "", 66, "/nonexistent"),
        (["account", "add", "alice"], "", 64, "--password-file"),
        (["account", "add", "Alice", "--password-file", "-"], "x", 65, "no name for an account"),
        (["account", "add", "postmaster", "--password-file", "-"], "x", 65, "no name for an account"),
        (["account", "add", "bob-request", "--password-file", "-"], "x", 65, "no name for an account"),
        (["account", "add", "alice@elsewhere.test", "--password-file", "-"], "x", 65, "no name for an account"),
        (["account", "passwd", "nobody", "--password-file", "-"], "x", 67, "has no account"),
        (["account", "remove", "nobody", "--yes"], "", 67, "has no account"),
        (["account", "remove", "alice"], "n\n", 64, "nothing was removed"),
        (["account", "import", "/nonexistent"], "", 66, "/nonexistent"),
        (["account", "list", "--host", "host-9"], "", 78, "host-1, host-2, host-3"),
        (["account", "ad"], "", 64, "ad"),
        (["queue", "drop", "7", "--host", "host-1"], "", 65, "no such message"),
        (["queue", "drop", "7"], "", 64, "--host"),
        (["queue", "retry"], "", 64, "--all"),
        (["where", "not an address"], "", 65, "neither"),
        (["host", "host-9"], "", 78, "host-9"),
        (["feed", "show", "nothing"], "", 67, "feed list"),
        (["feed", "poll", "https://nothing.example/"], "", 67, "feed list"),
        (["nonsense"], "", 64, "nonsense"),
    ],
)
def test_mistakes_have_their_codes_and_say_what_to_do(
    run: Run, arguments: list[str], typed: str, code: int, said: str
) -> None:
    done = run(*arguments, typed=typed)
    assert done.exit_code == code, done.output
    assert said in done.stderr
    assert "Traceback" not in done.output
    as_json = run(*arguments, "--json", typed=typed)
    assert as_json.exit_code == code
    assert json.loads(as_json.stdout)["error"]["code"] == code


def test_without_a_fabric_it_says_how_to_make_one(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["-C", str(tmp_path), "status"])
    assert (done.exit_code, "heliograph init" in done.stderr) == (78, True)


def test_an_owner_elsewhere_is_named(root: Path, run: Run) -> None:
    load(root).host_folder("host-2").rename(root / "away")
    done = run("account", "add", "alice", "--password-file", "-", typed="x")
    assert (done.exit_code, "run this where host-2 runs" in done.stderr) == (69, True)


def test_import_takes_dovecots_lines_and_json(root: Path, run: Run, tmp_path: Path) -> None:
    rows = [
        "# our people",
        f"alice:{{ARGON2ID}}{HASH}:1000:1000::/home/alice::",
        f"bob@fabric.test:{HASH}",
        json.dumps({"name": "erin", "hash": HASH}),
        "",
    ]
    (tmp_path / "people").write_text("\n".join(rows))
    first = answer(run("account", "import", str(tmp_path / "people"), "--json"))
    assert (first["added"], first["present"]) == (3, 0)
    again = answer(run("account", "import", str(tmp_path / "people"), "--json"))
    assert (again["added"], again["present"]) == (0, 3)
    assert len(answer(run("queue", "list", "--json"))["waiting"]) == 3
    store = opened(root, "host-2")
    assert stored_hash(store.reader, "alice") == HASH
    store.close()


@pytest.mark.parametrize(
    "line",
    [
        "dave",
        "dave:secret",
        "dave:{PLAIN}secret",
        f"Dave:{HASH}",
        f"root:{HASH}",
        f"alice:{HASH}",
        '{"name": "carol"}',
        '{"name": 7, "hash": "x"}',
        "{" * 5000,
        "dave:" + HASH.replace("m=19456", "m=99999999"),
    ],
)
def test_one_bad_line_and_nothing_is_imported(run: Run, tmp_path: Path, line: str) -> None:
    (tmp_path / "people").write_text(f"alice:{HASH}\n{line}\n")
    done = run("account", "import", str(tmp_path / "people"))
    assert (done.exit_code, "line 2" in done.stderr) == (65, True), done.output
    assert run("account", "list").stdout == "no accounts\n"


def test_many_are_imported_in_seconds(run: Run, tmp_path: Path) -> None:
    (tmp_path / "people").write_text("".join(f"user{number}:{HASH}\n" for number in range(1200)))
    assert answer(run("account", "import", str(tmp_path / "people"), "--json"))["added"] == 1200
    assert len(answer(run("account", "list", "--json"))["accounts"]) == 1200  # over several pages


def test_a_host_in_other_hands_is_not_touched(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody holds the lock and does not answer: code 75, to be tried again."""
    monkeypatch.setattr("heliograph.control.desk.PATIENCE_SECONDS", 0.2)
    with HostLock(load(root).host_folder("host-2")):
        done = run("account", "add", "alice", "--password-file", "-", typed="x")
        assert (done.exit_code, "process" in done.stderr) == (75, True), done.output


def test_where_answers_by_the_zone(run: Run) -> None:
    found = answer(run("where", "alice", "--json"))
    assert (found["bucket"], found["timeline_host"], found["timeline"]) == (
        29,
        "host-2",
        "alice@b29.timeline.fabric.test",
    )
    assert answer(run("where", "alice@fabric.test", "--json")) == found
    mirror = answer(run("where", "bob=other.example", "--json"))
    assert mirror["reflector"] == "bob=other.example@reflectors.fabric.test" and "person" not in mirror
    assert mirror["bucket"] == answer(run("where", "bob@other.example", "--json"))["bucket"]
    foreign = answer(run("where", "Zoe@Elsewhere.EXAMPLE", "--json"))
    assert foreign["entity"] == "Zoe@elsewhere.example"
    assert "person" not in foreign


def test_a_zone_with_a_mistake_is_named_with_its_line(root: Path, run: Run) -> None:
    zone = load(root).zone_file
    zone.write_text(zone.read_text().replace("b7.timeline MX 10 host-1", "b7.timeline MX ten host-1"))
    line = next(n for n, text in enumerate(zone.read_text().splitlines(), 1) if text.startswith("b7.timeline"))
    done = run("where", "alice")
    assert done.exit_code == 78
    assert f"{zone}:{line}" in done.stderr


def test_status_tells_of_hosts_that_are_down(run: Run) -> None:
    done = run("status", "--json")
    assert done.exit_code == 69
    assert [host["up"] for host in json.loads(done.stdout)["hosts"]] == [False] * 3


def test_a_fresh_fabric_polls_no_feeds(run: Run) -> None:
    assert (answer(run("feed", "list", "--json")), run("feed", "list").stdout) == ({"feeds": []}, "no feeds\n")


def test_the_queue_is_retried_and_dropped(run: Run) -> None:
    answer(run("account", "add", "alice", "--password-file", "-", "--json", typed="x"))
    [row] = answer(run("queue", "list", "--json"))["waiting"]
    assert row["accepted_at"] <= time.time()
    assert answer(run("queue", "retry", "--all", "--json")) == {"recipients": 0}
    assert answer(run("queue", "drop", str(row["message"]), "--host", "host-2", "--json"))["recipients"] == 1
    assert run("queue", "list").stdout == "nothing waits\n"


@pytest.mark.parametrize(("options", "told"), [((), ["bob@fabric.test"]), (("--silent",), [])])
def test_who_sent_what_is_dropped_is_told_unless_it_is_silent(
    root: Path, run: Run, options: tuple[str, ...], told: list[str]
) -> None:
    store = opened(root, "host-2")

    def put(tx: Transaction) -> int:
        body = Bodies.keep(tx, b"Subject: tide table\r\n\r\nHigh at noon.\r\n")
        to = [Recipient("carol@example.org")]
        return Queue().put(tx, sender="bob@fabric.test", recipients=to, body=body, envid="e", accepted_at=1.0, now=1.0)

    number = store.write_now(put)
    store.close()
    assert answer(run("queue", "drop", str(number), *options, "--host", "host-2", "--json"))["recipients"] == 1
    assert [row["recipient"] for row in answer(run("queue", "list", "--json"))["waiting"]] == told
    store = opened(root, "host-2")
    notices = [Bodies.read(store.reader, row[0]) for row in store.reader.all("SELECT body FROM queue_message")]
    assert all(b"554 5.7.0 dropped by the operator" in text and b"tide table" in text for text in notices)
    store.close()

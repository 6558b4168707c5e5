"""A host of this machine that is frozen, beside one that answers: the command looks past it, and says which it is."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from heliograph.checkup import mailboxes
from heliograph.command import main
from heliograph.commands import bucket, zone
from heliograph.configuration.settings import Config
from heliograph.control import desk
from heliograph.control.control_socket import socket_path
from tests.fabric.town import make_fabric

AWAY = {"host-1": "no answer within 3 seconds", "host-3": "does not answer: ..."}
HOSTS = [{"host": "host-2", "up": True, "serial": 7, "buckets": [], "going": [], "moves": []}]
ANSWER = {
    "ok": {
        "hosts": HOSTS + [{"host": host, "up": False, "trouble": why} for host, why in AWAY.items()],
        "serial": 7,
        "primary": False,
        "problems": [],
        "warnings": [],
        "miscounted": [],
        "next": "",
    }
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """host-1 takes connections and says nothing; host-2 answers whatever it is asked; host-3 is down."""
    found = make_fabric(tmp_path / "f", "127.0.0.0/24", buckets=16)
    monkeypatch.setattr(desk, "SURVEY_SECONDS_MAX", 0.2)
    frozen, alive = (_listen(found, name) for name in ("host-1", "host-2"))
    threading.Thread(target=_serve, args=(alive,), daemon=True).start()
    yield found
    alive.shutdown(socket.SHUT_RDWR)
    for each in (frozen, alive):
        each.close()


def _listen(config: Config, name: str) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX)
    with socket_path(config.host_folder(name)) as path:
        listening.bind(path)
    listening.listen()
    return listening


def _serve(listening: socket.socket) -> None:
    try:
        while True:
            client = listening.accept()[0]
            with client, client.makefile("rb") as lines:
                lines.readline()
                client.sendall(json.dumps(ANSWER).encode() + b"\n")
    except OSError:
        return


def test_all_hosts_are_asked_through_one_that_answers(config: Config) -> None:
    assert desk.survey(config) == ANSWER["ok"]["hosts"]


def test_where_buckets_are_is_told_by_those_that_answer(config: Config) -> None:
    done = CliRunner().invoke(main, ["-C", str(config.root), "bucket", "status"])
    assert done.exit_code == 0 and "host-2     all of its buckets are its own" in done.output
    assert "host-1     no answer within 3 seconds" in done.output and "host-3     does not answer" in done.output


def test_the_zone_is_shown_as_those_serve_it_that_answer(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zone, "STATE_SECONDS_MAX", 0.2)
    done = CliRunner().invoke(main, ["-C", str(config.root), "zone", "show"])
    assert done.exit_code == 0 and "serves 7" in done.output
    assert "host-1: the host did not answer (timed out)" in done.output


def test_a_list_without_a_part_is_no_list(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "PAGE_SECONDS_MAX", 0.2)
    done = CliRunner().invoke(main, ["-C", str(config.root), "account", "list"])
    assert done.exit_code == 75 and "host-1: the host did not answer" in done.output


def test_who_does_not_run_here_gives_nothing_away(config: Config) -> None:
    for host, code, why in (("host-3", 69, "gives way only while it runs"), ("host-9", 78, "there is no host")):
        done = CliRunner().invoke(main, ["-C", str(config.root), "bucket", "yield", "3", "--at", host])
        assert done.exit_code == code and why in done.output


def test_the_doctor_does_not_wait_for_one_that_stands_still(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailboxes, "ANSWER_SECONDS_MAX", 0.2)
    frozen, alive, _ = mailboxes.mailboxes(config)
    assert (frozen.grade, "did not answer" in frozen.text, alive.grade) == ("warning", True, "good")


def test_where_buckets_are_is_not_told_where_nobody_runs(tmp_path: Path) -> None:
    down = make_fabric(tmp_path / "f", "127.0.0.0/24", buckets=16)
    done = CliRunner().invoke(main, ["-C", str(down.root), "bucket", "status"])
    assert done.exit_code == 0 and done.output.count("is down") == 3


def test_who_waits_for_a_move_waits_for_hosts_that_have_not_heard_of_it(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = {"serial": 8, "going": [{"map": "timeline", "bucket": 5}]}
    told = iter([{"serial": 7}, {"serial": 8}, going, {"serial": 8}])
    monkeypatch.setattr(bucket, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(bucket, "_states", lambda _: [{"host": "host-2", **next(told)}])
    assert bucket._wait(config, "timeline", 5, 5, 7) == 0
    assert next(told, None) is None

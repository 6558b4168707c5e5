"""A mailbox elsewhere (here: bob's own) is read for alice: by the command, over a kill -9 and a bucket's move."""

from __future__ import annotations

import contextlib
import imaplib
import smtplib
import time
from collections.abc import Callable, Iterator

import pytest

from heliograph.demo.people import Person
from heliograph.demo.stage import PASSWORD, Stage, stage

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]
FOLDER = "Of bob"


def settings(text: str, net: str) -> str:
    text = text.replace("feed_allow_networks = []", f'feed_allow_networks = ["{net}"]')
    return text.replace("[feeds]", '[feeds]\nmailbox_authorities = "tls/ca.pem"')


@pytest.fixture(scope="module")
def two_hosts() -> Iterator[Stage]:
    with stage(hosts=2, settings=settings) as here:
        here.add_people("alice", "bob")
        here.start()
        yield here


def until(wanted: Callable[[], object], seconds: float = 30.0) -> None:
    give_up = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < give_up, "it does not come to be"
        time.sleep(0.05)


def test_a_mailbox_is_read_over_a_kill_and_a_move(two_hosts: Stage) -> None:
    config, alice, bob = two_hosts.config, Person(two_hosts, "alice"), Person(two_hosts, "bob")
    url = f"imaps://bob@{config.hosts[0].address}:{config.ports.imaps}/INBOX"

    def sent(number: int) -> bool:
        with contextlib.suppress(OSError, smtplib.SMTPException):  # a host may be down for a moment
            return alice.send("bob@fabric.test", f"Letter {number}", "Said to bob.")[0] == 250
        return False

    def written(number: int) -> None:
        until(lambda: sent(number))

    def had() -> list[str]:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            letters = alice.letters(f'"{FOLDER}"')
            return sorted(found.subject for found in letters if found.subject.startswith("Letter"))
        return []

    def told() -> dict[str, object]:
        return two_hosts.ask("mailbox", "show", "bobs")

    add = ("mailbox", "add", "alice", url, "--name", "bobs", "--folder", FOLDER, "--password-file", "-")
    wrong = two_hosts.command(*add, typed="wrong")
    assert wrong.returncode == 69 and "does not let us in" in wrong.stderr
    assert two_hosts.command(*add[:3], "imaps://bob:secret@h/", typed="x").returncode == 65
    written(1)
    assert bob.wait_for_subject("Letter 1")
    added = two_hosts.ask(*add, typed=PASSWORD)
    assert added["address"] == "bobs@reflectors.fabric.test" and added["url"] == url
    assert two_hosts.command(*add[:6], *add[8:], typed=PASSWORD).returncode == 73
    until(lambda: had() == ["Letter 1"])
    until(lambda: "tells of news" in str(told()["last_answer"]))
    written(2)
    until(lambda: len(had()) == 2)

    owner = str(told()["host"])
    two_hosts.kill_host(owner)
    written(3)
    until(lambda: len(had()) == 3)

    bucket = str(config.names.bucket("bobs"))
    other = next(host.name for host in config.hosts if host.name != owner)
    two_hosts.ask("bucket", "move", bucket, other, "--map", "reflectors", "--wait")
    written(4)
    until(lambda: told()["host"] == other and "tells of news" in str(told()["last_answer"]), 90)
    until(lambda: len(had()) == 4)
    written(5)
    until(lambda: len(had()) == 5)

    assert PASSWORD not in two_hosts.log()
    for host in config.hosts:
        for path in config.host_folder(host.name).glob("heliograph.db*"):
            assert (
                PASSWORD.encode() not in path.read_bytes() and PASSWORD.encode().hex().encode() not in path.read_bytes()
            )
    two_hosts.ask("mailbox", "suspend", "bobs")
    written(6)
    assert told()["standing"] == "suspended" and two_hosts.command("mailbox", "poll", "bobs").returncode == 69
    two_hosts.ask("mailbox", "resume", "bobs")
    until(lambda: len(had()) == 6)
    two_hosts.ask("mailbox", "remove", "bobs")
    assert two_hosts.ask("mailbox", "list")["mailboxes"] == []
    assert had() == [f"Letter {number}" for number in range(1, 7)]
    with bob.mailbox() as client:  # nothing was changed there
        flags = client.fetch("1:*", "(FLAGS)")[1]
        assert not any(isinstance(line, bytes) and b"Seen" in line for line in flags)

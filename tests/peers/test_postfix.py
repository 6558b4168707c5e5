"""Postfix as the way out and the way in, as docs/postfix.md has it: the demo's whole story, and what forgers try."""

from __future__ import annotations

import re
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from heliograph.demo.__main__ import settings, tell
from heliograph.demo.outside import DOMAIN, MAIL_PORT, PLACE, Mailbox, foreign_mailbox
from heliograph.demo.people import Person
from heliograph.demo.stage import PASSWORD, Stage, stage
from heliograph.demo.story import Story
from tests.peers import beside

pytestmark = [
    pytest.mark.peers,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not beside.is_installed(), reason="as root, with postfix: scripts/peers installs it"),
]


def outwards(text: str, net: str, port: int) -> str:
    """The demo's configuration, with the page's ways out and in instead of its relay."""
    text = settings(text, net).replace(f'"{DOMAIN}" = "{net.replace("0/24", str(PLACE))}:{MAIL_PORT}"\n', "")
    said = beside.placed(beside.blocks("postfix.md", "heliograph.toml", "The way"), net, "fabric.test", {"25": port})
    text = re.sub(r"(?m)^(?:smtp|lmtp) = .*\n", "", text)
    for table in ("[ports]\n", "[smtp]\n"):
        lines = "".join(part.partition("\n[")[0].strip() + "\n" for part in said.split(table)[1:])
        text = text.replace(table, table + lines)
    return text


def test_the_demo_with_postfix_before_and_behind_the_fabric() -> None:
    told: list[str] = []
    story, port = Story(told=told.append), beside.free_port()
    with ExitStack() as scenery:
        here = scenery.enter_context(stage(settings=lambda text, net: outwards(text, net, port)))
        log = scenery.enter_context(beside.postfix(here, port, "The way out", "The way in"))
        here.mail_in = here.address(1), port
        tell(story, here, scenery)
        said = log.read_text()
    assert not story.failed, "\n".join([*told, said[-4000:]])
    assert "relay=" in said and "lmtp[" in said and "smtp[" in said
    print("\n".join(told[-3:]))


ENDINGS = [b"\n.\n", b"\n.\r\n", b"\r.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\n.\r", b"\r\r\n.\r\r\n"]


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Stage, int, Mailbox, Path]]:
    """One host between two Postfixes that are one, and a mailbox elsewhere."""
    port = beside.free_port()
    with ExitStack() as scenery:
        here = scenery.enter_context(stage(hosts=1, settings=lambda text, net: outwards(text, net, port)))
        here.add_people("alice", "bob")
        here.start()
        log = scenery.enter_context(beside.postfix(here, port, "The way out", "The way in"))
        here.mail_in = here.address(1), port
        yield here, port, scenery.enter_context(foreign_mailbox(here)), log


def conversation(address: str, port: int, source: str, *said: bytes, tls: ssl.SSLContext | None = None) -> list[bytes]:
    """Say these words by turns, each answered, to a server that greets; return the answers."""
    with socket.create_connection((address, port), timeout=15, source_address=(source, 0)) as plain:
        wire = tls.wrap_socket(plain, server_hostname=address) if tls else plain
        answers = [wire.recv(1000)]
        for words in said:
            wire.sendall(words)
            answers.append(wire.recv(1000))
        return answers


def smuggler(number: int, ending: bytes, sender: str, to: str) -> bytes:
    inner = (
        f"MAIL FROM:<{sender}>\r\nRCPT TO:<{to}>\r\nDATA\r\nSubject: inner {number}\r\n\r\nsmuggled\r\n.\r\n".encode()
    )
    return f"From: {sender}\r\nSubject: outer {number}\r\n\r\ntext".encode() + ending + inner


def test_nothing_is_smuggled_in_through_it(place: tuple[Stage, int, Mailbox, Path]) -> None:
    here, port, _, _ = place
    zoe, to = f"zoe@{DOMAIN}", f"alice@{here.config.domain}"
    opening = (b"EHLO zoe\r\n", f"MAIL FROM:<{zoe}>\r\n".encode(), f"RCPT TO:<{to}>\r\n".encode(), b"DATA\r\n")
    taken = 0
    for number, ending in enumerate(ENDINGS):
        *_, ready, end = conversation(
            here.address(1), port, here.address(PLACE), *opening, smuggler(number, ending, zoe, to)
        )
        assert ready.startswith(b"354")
        taken += end.startswith(b"250")
    assert here.mail_in and Mailbox(here).send("zoe", to, "the last")[0] == 250
    alice = Person(here, "alice")
    assert alice.wait_for_subject("the last")
    subjects = [letter.subject for letter in alice.letters()]
    assert not [subject for subject in subjects if subject.startswith("inner")], subjects
    assert len([subject for subject in subjects if subject.startswith("outer")]) <= taken


def test_nothing_is_smuggled_out_through_it(place: tuple[Stage, int, Mailbox, Path]) -> None:
    here, _, mailbox, _ = place
    config = here.config
    sender, to = f"alice@{config.domain}", f"zoe@{DOMAIN}"
    tls = ssl.create_default_context(cafile=str(config.tls.ca))
    secret = b64encode(f"\0alice\0{PASSWORD}".encode())
    opening = (b"EHLO alice\r\n", b"AUTH PLAIN " + secret + b"\r\n", f"MAIL FROM:<{sender}>\r\n".encode())
    for number, ending in enumerate((*ENDINGS, b"\r\n..\r\n")):
        more = (f"RCPT TO:<{to}>\r\n".encode(), b"DATA\r\n", smuggler(number, ending, sender, to))
        end = conversation(here.address(1), config.ports.submissions, here.address(PLACE), *opening, *more, tls=tls)[-1]
        assert end.startswith(b"250" if ending == b"\r\n..\r\n" else b"55"), (ending, end)
    assert mailbox.wait_for("zoe", lambda letter: letter.subject == f"outer {len(ENDINGS)}")
    found = mailbox.letters("zoe")
    assert [letter.subject for letter in found] == [f"outer {len(ENDINGS)}"]
    (content,) = [content for _, names, content in mailbox.mail if to in names]
    assert b"\n.\r\nMAIL FROM" in content and content.count(b"DKIM-Signature:") == 2


def test_unknown_recipients_are_refused_in_front_and_nobody_gets_a_bounce(
    place: tuple[Stage, int, Mailbox, Path],
) -> None:
    here, port, mailbox, log = place
    before = len(mailbox.mail)
    opening = (b"EHLO x\r\n",)
    for number in range(20):
        rcpt = f"RCPT TO:<nobody-{number}@{here.config.domain}>\r\n".encode()
        forged = (f"MAIL FROM:<victim-{number}@{DOMAIN}>\r\n".encode(), rcpt)
        assert conversation(here.address(1), port, here.address(PLACE), *opening, *forged)[-1].startswith(b"550")
    assert len(mailbox.mail) == before and "status=bounced" not in log.read_text().replace("undeliverable", "")


def test_forged_posts_come_back_to_nobody_and_the_trace_names_who_brought_mail(
    place: tuple[Stage, int, Mailbox, Path],
) -> None:
    here, port, mailbox, log = place
    to, before = f"bob@reflectors.{here.config.domain}", len(mailbox.mail)
    opening = [b"EHLO forger.example\r\n"]
    for number in range(20):
        victim = f"victim-{number}@{DOMAIN}"
        opening += [f"MAIL FROM:<{victim}>\r\n".encode(), f"RCPT TO:<{to}>\r\n".encode(), b"DATA\r\n"]
        opening += [f"From: {victim}\r\nSubject: forged {number}\r\n\r\nspam\r\n.\r\n".encode()]
    said = conversation(here.address(1), port, here.address(PLACE), *opening)
    assert [answer[:3] for answer in said[5::4]] == [b"250"] * 20
    assert mailbox.send("zoe", f"alice@{here.config.domain}", "after the forgers")[0] == 250
    found = Person(here, "alice").wait_for_subject("after the forgers")
    assert found
    give_up = time.monotonic() + 20
    while here.log().count("dropped peer=") < 20 and time.monotonic() < give_up:
        time.sleep(0.2)
    assert here.log().count("dropped peer=") == 20
    assert len(mailbox.mail) == before and "status=bounced" not in log.read_text()
    with Person(here, "alice").mailbox() as client:
        _, fetched = client.uid("FETCH", "*", "(BODY.PEEK[HEADER])")
    header = b" ".join(part[1] for part in fetched if isinstance(part, tuple))
    assert f"([{here.address(PLACE)}])".encode() in header.partition(b"Received:")[2].partition(b"Received:")[0]
    assert b"Authentication-Results: fabric.test; dkim=none" in header

"""The words of a command, at their edges."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.names import Reflector
from mail.envelope import Arrival
from reflector import MIGRATIONS
from reflector.command_words import Command, first_line, is_bare, read_folder, read_line, subject_of
from reflector.sources import clean_title
from reflector.tokens import is_token, make_token
from store import Store
from store.bodies import MIGRATION as BODIES
from tests.reflector.town import Town


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("subscribe", Command("subscribe")),
        ("  SubScribe ", Command("subscribe")),
        ("unsubscribe", Command("unsubscribe")),
        ("help", Command("help")),
        ("subscribe folder=News", Command("subscribe", "News")),
        ('subscribe folder="Big News/2"', Command("subscribe", "Big News/2")),
        ("subscribe color=red folder=a", Command("subscribe", "a")),
        ("subscribe folder=/a/", Command("subscribe", "a")),
        ("subscribe folder=", None),
        ("subscribe me", None),
        ("please subscribe", None),
        ("subscribed", None),
        ("Re: subscribe", None),
        ("help me please", None),
        ("", None),
    ],
)
def test_a_command_is_a_whole_line(line: str, command: Command | None) -> None:
    assert read_line(line) == command


def test_unusable_folders_are_none() -> None:
    assert read_folder("folder=" + "x" * 101) == ""
    assert read_folder('folder="a\x00b"') == ""
    assert read_folder("folder=Ärger") == "Ärger"


@pytest.mark.parametrize(
    ("subject", "read"),
    [
        ("=?utf-8?q?subscribe?=", "subscribe"),
        ("=?utf-8?b?c3Vic2NyaWJlIGZvbGRlcj3DhA==?=", "subscribe folder=Ä"),
        ("=?punycode?q?subscribe?=", "subscribe"),
        ("=?utf-8?b?!!!?=", ""),
        ("x" * 501, ""),
    ],
)
def test_a_subject_is_decoded_within_bounds(subject: str, read: str) -> None:
    assert subject_of(Arrival("", f"Subject: {subject}\r\n\r\n".encode(), 0)) == read


def test_the_first_line_of_the_first_part() -> None:
    parts = b"--b\r\nContent-Type: text/plain\r\n\r\n\r\n help \r\n--b--\r\n"
    assert first_line(Arrival("", b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + parts, 0)) == "help"
    assert first_line(Arrival("", b"\r\n", 0)) == ""


@pytest.mark.parametrize(
    "content",
    [
        b"Content-Transfer-Encoding: base64\r\n\r\nc3Vic2NyaWJl\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nsub=\r\nscribe\r\n",
        b"Content-Type: text/html\r\n\r\n<html><body><div>subscribe</div></body></html>\r\n",
    ],
)
def test_the_first_line_however_it_is_packed(content: bytes) -> None:
    assert first_line(Arrival("", content, 0)) == "subscribe"
    assert is_bare(Arrival("", b"A: b\r\n\r\n \r\n\t\r\n", 0)) and not is_bare(Arrival("", b"\r\nx", 0))


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_reading_never_raises(subject: bytes, text: bytes) -> None:
    arrival = Arrival("", b"Subject: " + subject + b"\r\n\r\n" + text, 0)
    for line in (subject_of(arrival), first_line(arrival)):
        read_line(line)
        read_folder(line)


@given(st.binary(max_size=400), st.sampled_from(["", "subscribe", "request", "help", "owner", "bounce", "unsubscribe"]))
def test_no_letter_breaks_the_room(noise: bytes, detail: str) -> None:
    town = Town()
    town.tx.execute("INSERT INTO source VALUES ('bob', 'bob', '', 0, 1, 0, 0, 0, 0, 0, 0)")
    for content in (noise, b"From: a@pen.test\r\nSubject: " + noise, b"From: " + noise + b"\r\n\r\nhelp"):
        for host in ("", "host-2"):
            to = f"bob{'+' if detail else ''}{detail}@reflectors.fabric.test"
            town.deliver(to, content, "a@pen.test", host)


@given(st.text(max_size=200))
def test_a_title_is_one_printable_line(text: str) -> None:
    title = clean_title(text)
    assert len(title) <= 100 and (title.isprintable())


def test_tokens_do_not_run_together() -> None:
    key = b"k" * 16
    assert make_token(key, "confirm", "a", "bc") != make_token(key, "confirm", "ab", "c")
    assert make_token(key, "confirm", "a") != make_token(key, "bounce", "a")
    assert is_token(make_token(key, "confirm", "a")) and not is_token("a" * 23) and not is_token("1" * 24)


def test_whom_the_room_knows(tmp_path: Path) -> None:
    """In a real store, through a reader, as the door asks."""
    store, room = Store(tmp_path / "host.db", [BODIES, *MIGRATIONS]), Town().room
    store.write_now(lambda tx: tx.execute("INSERT INTO source VALUES ('bob', 'bob', '', 0, 1, 0, 0, 0, 0, 0, 0)"))
    token = "a" * 24

    def known(entity: str, detail: str) -> bool:
        return room.knows(store.reader, Reflector(entity, detail, 0))

    for detail in ("", "subscribe", "unsubscribe", "help", "owner", "request", "bounce", f"bounce.{token}"):
        assert known("bob", detail), detail
        assert not known("dora", detail), detail
    assert known("dora", "control")
    assert known("dora", "sub.7")  # the door lets only hosts write there, who know before we do
    assert not known("bob", f"confirm.{token}")  # never given out
    for detail in (
        "confirm",
        "confirm.x",
        "bounce.x",
        f"help.{token}",
        "x1",
        f"confirm.{token}.",
        "leaf",
        "a" * 21,
    ):
        assert not known("bob", detail), detail
    store.close()


def test_a_line_that_is_nearly_a_command_is_read_in_one_pass() -> None:
    """Each of these words could be read in two ways, all of them in more ways than there is time for."""
    assert read_line("subscribe" + ' a="x"' * 80 + " !") is None
    assert read_line("subscribe" + ' a="x"' * 80 + ' folder="A B"') == Command("subscribe", "A B")
    assert read_line('subscribe folder="A"B') is None and read_line("subscribe folder=A b=c") == Command(
        "subscribe", "A"
    )

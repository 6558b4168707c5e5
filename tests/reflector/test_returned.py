"""Real notices of many hosts, and made-up ones of none."""

from __future__ import annotations

import email
import os
import time
from pathlib import Path

import pytest
from flufl.bounce import all_failures
from hypothesis import given, settings
from hypothesis import strategies as st

from reflector.returned import Returned, read_returned, said_of
from reflector.scoring import POINTS

DATA = os.environ.get("HELIOGRAPH_DATA", "")
ANSWERS = Path(__file__).with_name("bounce_answers.txt")
NEVER = ("policy", "automatic", "delayed", "complaint", "other")


def answers() -> dict[str, tuple[set[str], set[str]]]:
    """File -> its classes, and the mailboxes that it names."""
    rows = (line.split(" ") for line in ANSWERS.read_text().splitlines() if not line.startswith("#"))
    return {row[0]: (set(row[1].split("/")), set(row[2].split(",")) if len(row) > 2 else set()) for row in rows}


def notices() -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted((Path(DATA) / "bounces").glob("*.eml"))}


@pytest.mark.skipif(not DATA, reason="HELIOGRAPH_DATA names no folder")
def test_what_real_notices_say(capsys: pytest.CaptureFixture[str]) -> None:
    told, found = answers(), notices()
    named = classed = theirs = failures = 0
    for name, content in found.items():
        kinds, mailboxes = told[name]
        said = read_returned(content)
        classed += {one.kind for one in said} <= kinds
        if mailboxes:
            failures += 1
            named += {one.address for one in said} == mailboxes
            theirs += {
                _text(a).lower() for part in all_failures(email.message_from_bytes(content)) for a in part
            } == mailboxes
        if kinds <= set(NEVER):
            assert "dead" not in {one.kind for one in said}, name
    with capsys.disabled():
        print(f"\n  {len(found)} notices: class {classed}; mailbox {named} of {failures}, flufl.bounce alone {theirs}")
    assert len(found) == len(told) == 104
    assert classed >= 96 and named >= 98 > theirs


def _text(address: bytes | str) -> str:
    return address if isinstance(address, str) else address.decode("latin-1")


@pytest.mark.skipif(not DATA, reason="HELIOGRAPH_DATA names no folder")
def test_no_refusal_of_us_and_no_robot_gets_a_real_reader_removed() -> None:
    """Removal takes the word "dead", twice: of the posts, and of the question."""
    for name, content in notices().items():
        kinds, _ = answers()[name]
        said = said_of(read_returned(content), "reader@example.com")
        if not kinds & {"dead", "weak"}:
            assert said.kind != "dead" and (POINTS.get(said.kind, 0) < 1), name


@pytest.mark.parametrize("word", ["auto-replied", "auto-generated; x=y"])
def test_who_is_away_is_not_gone_whatever_she_says(word: str) -> None:
    away = (
        f"Subject: Out of office\r\nAuto-Submitted: {word}\r\n\r\nMy mailbox at Work is unavailable: user unknown\r\n"
    )
    assert [said.kind for said in read_returned(f"From: Vera <vera@b.test>\r\n{away}".encode())] == ["automatic"]
    assert [said.kind for said in read_returned(f"From: Mailer-Daemon@b.test\r\n{away}".encode())] == ["dead"]


PIECES = st.sampled_from(
    [
        "Content-Type: multipart/report; boundary=b",
        "--b",
        "--b--",
        "",
        "Content-Type: message/delivery-status",
        "Status: 5.1.1",
        "Final-Recipient: rfc822;",
        "Action: failed",
        "Content-Type: message/rfc822",
        "=?x?q?=",
        "Content-Type: message/feedback-report",
        "Feedback-Type: abuse",
        "X-Failed-Recipients: <,@",
        "<a@b.test>",
        "550 5.1.1 user unknown",
        "Subject: Undeliverable",
        "Content-Transfer-Encoding: base64",
        "Content-Type: text/plain; charset=punycode",
        'To: "',
        "\0",
        "\tx",
        "é",
    ]
)


@settings(max_examples=200)
@given(st.lists(PIECES, max_size=30).map("\r\n".join))
def test_nothing_makes_it_raise(text: str) -> None:
    said = read_returned(text.encode())
    assert said and all(isinstance(one, Returned) and one.reason.isprintable() for one in said)
    assert said_of(said, "a@b.test") in said


@pytest.mark.parametrize(
    "content",
    [
        b'Content-Type: a="' + b";" * 60_000,
        b"X-Failed-Recipients: " + b"a@b.test," * 7_000,
        b"Subject: Undeliverable\r\n\r\n" + b"<a@b.test> " * 6_000,
        b"Subject: Undeliverable\r\n\r\n" + b"user " * 13_000,
        b"Subject: Undeliverable\r\n\r\n" + b"mailbox over" * 5_000,
        b"To: " + b'"' * 60_000 + b"\r\n\r\nx",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 7_000,
    ],
    ids=range(7),
)
def test_nothing_makes_it_slow(content: bytes) -> None:
    """By steps, not by the clock: with the limits taken away these take seconds to minutes."""
    assert read_returned(content)


def test_lines_without_end_cost_no_more_than_as_many_as_a_notice_has() -> None:
    began = time.process_time()
    for _ in range(3):
        read_returned(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + b"\r\n" * 30_000)
    assert time.process_time() - began < 0.6  # 0.1 s; all of them take 1.2 and more


@pytest.mark.parametrize(
    "sender", [b"", b"From: Mailer-Daemon\r\n", b"From: \xc3\xa9 <mailer-daemon@b.test>\r\n", b"From:\r\n"]
)
def test_a_notice_from_nobody_is_read_as_any_other(sender: bytes, caplog: pytest.LogCaptureFixture) -> None:
    text = b"Subject: Returned mail\r\n\r\n<carol@b.test>: 550 5.1.1 user unknown\r\n"
    assert [(said.kind, said.address) for said in read_returned(sender + text)] == [("dead", "carol@b.test")]
    assert not caplog.records


def test_what_cannot_be_read_is_no_news_for_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Anybody may write to a return path, and as often as he likes."""
    assert read_returned(b"From: a@b.test\r\nX-Mailer: \xc3\xa9\r\nSubject: x\r\n\r\nx\r\n")
    assert not caplog.records

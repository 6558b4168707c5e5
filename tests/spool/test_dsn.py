"""Notifications: what a mail program reads in them, and what nobody can smuggle into them."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from email.message import Message

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spool.dsn import TOLD_MAX, Notice, Told, report, status_of, wants_failure, wants_success

NOTICE = Notice(
    action="failed",
    to="alice@fabric.test",
    recipients=[
        Told("bob@b.test", "550 5.1.1 no such user", "mx.b.test", "rfc822;bob@b.test"),
        Told("eve@b.test", "421 4.4.2 lost"),
    ],
    original=b"Subject: hello\r\nX: y\r\n\r\ntext\r\n",
    whole=True,
    envid="env-1",
    accepted_at=1_000_000.0,
    now=1_500_000.0,
    reporting_mta="host-1.fabric.test",
    daemon="mailer-daemon@fabric.test",
)


def read(notice: Notice) -> tuple[Message, list[Message]]:
    content = report(notice)
    assert content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r")
    message = email.message_from_bytes(content, policy=email.policy.default)
    parts = message.get_payload()
    assert isinstance(parts, list) and len(parts) == 3
    return message, parts  # type: ignore[return-value]


def test_a_mail_program_finds_what_failed_and_why() -> None:
    message, (words, status, original) = read(NOTICE)
    assert message.get_content_type() == "multipart/report" and message.get_param("report-type") == "delivery-status"
    assert message["To"] == "alice@fabric.test" and message["Auto-Submitted"] == "auto-replied"
    assert message["Subject"] == "Undelivered mail: hello" and "mailer-daemon@fabric.test" in message["From"]
    assert "550 5.1.1 no such user" in words.get_payload()
    about, bob, eve = status.get_payload()
    assert about["Original-Envelope-Id"] == "env-1" and about["Reporting-MTA"] == "dns; host-1.fabric.test"
    assert dict(bob.items()) == {
        "Original-Recipient": "rfc822;bob@b.test",
        "Final-Recipient": "rfc822; bob@b.test",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.b.test",
        "Diagnostic-Code": "smtp; 550 5.1.1 no such user",
    }
    assert eve["Status"] == "5.4.7" and "Remote-MTA" not in eve
    assert original.get_content_type() == "message/rfc822" and original.get_payload()[0]["X"] == "y"


@pytest.mark.parametrize(
    ("orcpt", "said"),
    [
        ("rfc822;bob+2Bnews@b.test", "rfc822;bob+news@b.test"),
        ("rfc822;bob+0D+0AStatus:+202.0.0@b.test", "rfc822;bob  Status: 2.0.0@b.test"),
        ("rfc822;bob+E4@b.test", "rfc822;bob+E4@b.test"),
        ("utf-8;b\u00f6b+2B@b.test", "utf-8;b\u00f6b+2B@b.test"),
    ],
)
def test_the_original_recipient_is_named_as_the_sender_meant_it(orcpt: str, said: str) -> None:
    content = report(replace(NOTICE, recipients=[Told("bob@b.test", "550 5.1.1 no", "", orcpt)]))
    assert f"\r\nOriginal-Recipient: {said}\r\n".encode() in content


def test_the_header_alone_comes_back_where_that_is_asked() -> None:
    _, (_, _, original) = read(replace(NOTICE, whole=False, original=b"Subject: hello\r\n\r\n"))
    assert original.get_content_type() == "text/rfc822-headers"


def test_an_international_address_has_its_own_kind_of_report() -> None:
    message, (_, status, _) = read(replace(NOTICE, recipients=[Told("bäb@b.test", "550 nö")]))
    assert (
        status.get_content_type() == "message/global-delivery-status" and message["Content-Transfer-Encoding"] == "8bit"
    )
    assert b"Final-Recipient: utf-8; b\xc3\xa4b@b.test" in report(replace(NOTICE, recipients=[Told("bäb@b.test", "5")]))


def test_a_list_that_fails_as_a_whole_makes_a_bounded_report() -> None:
    _, (words, status, _) = read(replace(NOTICE, recipients=[Told(f"r{n}@b.test", "550 no") for n in range(5000)]))
    assert len(status.get_payload()) == TOLD_MAX + 1 and "and 4000 more" in words.get_payload()


@given(st.text(), st.text(), st.text(), st.binary())
@example("550 x\r\nBcc: eve@x", "a\r\n\r\n--report", "e\nAction: delivered", b"\r\n--report-\r\n")
def test_nothing_quoted_starts_a_field_or_a_part(reply: str, recipient: str, envid: str, original: bytes) -> None:
    notice = replace(NOTICE, recipients=[Told(recipient, reply, reply, recipient)], envid=envid, original=original)
    content = report(notice)
    message = email.message_from_bytes(content)
    boundary = b"--" + str(message.get_boundary()).encode()
    assert content.count(b"\r\n" + boundary) == 4
    fields = content.split(boundary)[2].split(b"\r\n\r\n", 1)[1]
    names = [line.split(b":")[0] for line in fields.split(b"\r\n") if line]
    allowed = b"Original-Envelope-Id Reporting-MTA Arrival-Date Original-Recipient Final-Recipient Action Status"
    assert set(names) <= {*allowed.split(), b"Remote-MTA", b"Diagnostic-Code"} and names.count(b"Action") == 1
    assert "Bcc" not in message


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ("550 5.7.1 no", "5.7.1"),
        ("550 no", "5.0.0"),
        ("451 4.3.0 x", "5.4.7"),
        ("550 2.1.5 what", "5.0.0"),
        ("", "5.0.0"),
        ("550 5.1111.1 x", "5.0.0"),
    ],
)
def test_the_status_is_permanent_whatever_was_said_last(reply: str, status: str) -> None:
    assert status_of(reply, "failed") == status


def test_notify_decides_who_is_told() -> None:
    assert wants_failure("") and wants_failure("SUCCESS,FAILURE")
    assert not wants_failure("NEVER") and not wants_failure("SUCCESS")
    assert wants_success("success") and not wants_success("") and not wants_success("NEVER")

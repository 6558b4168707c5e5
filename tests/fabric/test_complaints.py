"""A complaint to the operator reaches the list whose post it is about."""

from __future__ import annotations

import time

import pytest

from directory.names import FabricNames
from heliograph.door.complaints import complained_of
from spool.door import RcptTo

NAMES = FabricNames("fabric.test", 64)
TOKEN = "abcdefghijklmnopqrstuvwx"
PATH = f"bob+bounce.{TOKEN}@reflectors.fabric.test"


def arf(about: str, kind: str = "abuse") -> bytes:
    lines = [
        "From: fbl@provider.test",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b",
        "",
        "--b",
        "Content-Type: text/plain",
        "",
        "A complaint.",
        "--b",
        "Content-Type: message/feedback-report",
        "",
        f"Feedback-Type: {kind}",
        "Version: 1",
        "",
        "--b",
        "Content-Type: message/rfc822",
        "",
        about,
        "Subject: News",
        "",
        "x",
        "--b--",
        "",
    ]
    return "\r\n".join(lines).encode()


def passed_on(content: bytes, *to: str) -> list[str]:
    return [one.address for one in complained_of(NAMES, [RcptTo(address) for address in to], content)]


@pytest.mark.parametrize(
    "about",
    [
        f"Return-Path: <{PATH}>",
        f"List-Unsubscribe: <https://mail.fabric.test/unsubscribe/bob/b1/{TOKEN}>, <mailto:"
        f"bob+leave.{TOKEN}@b7.reflectors.fabric.test>",
    ],
)
@pytest.mark.parametrize("to", ["abuse@fabric.test", "postmaster@reflectors.fabric.test"])
def test_it_is_passed_on(about: str, to: str) -> None:
    (path,) = passed_on(arf(about), to)
    assert path in (PATH, PATH.replace("@", "@b7."))


def test_all_else_is_not() -> None:
    whole = arf(f"Return-Path: <{PATH}>")
    assert passed_on(whole, "alice@fabric.test") == passed_on(whole, "sales@fabric.test") == []
    assert passed_on(arf(f"Return-Path: <{PATH}>", "not-spam"), "abuse@fabric.test") == []
    assert passed_on(whole.replace(b"message/feedback-report", b"text/plain"), "abuse@fabric.test") == []
    assert passed_on(arf(f"Return-Path: <{PATH.replace('fabric', 'other')}>"), "abuse@fabric.test") == []
    assert passed_on(arf(f"Return-Path: <{PATH.replace('@', '@b64.')}>"), "abuse@fabric.test") == []  # no such bucket


def test_one_complaint_is_of_few() -> None:
    many = "\r\n".join(f"X-A: {PATH.replace('bob', f'bob{n}')}" for n in range(50))
    assert len(passed_on(arf(many), "abuse@fabric.test")) == 5


def test_what_is_long_and_names_nothing_costs_no_more_than_its_length() -> None:
    content = arf("X: " + "a" * 10_000_000)
    began = time.process_time()
    assert passed_on(content, "abuse@fabric.test") == []
    assert time.process_time() - began < 1.0  # 0.1 s; a look at each beginning of a name takes 3

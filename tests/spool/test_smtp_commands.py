"""MAIL and RCPT: the one grammar of addresses, and parameters by their RFCs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.address import Address
from mail.outcome import Refused
from spool.smtp_commands import MailFrom, RcptCommand, parse_mail, parse_rcpt
from tests.spool.fake_door import FakeDoor, codes, open_door, talk


def rcpt(argument: str, smtputf8: bool = False) -> RcptCommand | Refused:
    return parse_rcpt(argument, "fabric.test", smtputf8)


@pytest.mark.parametrize(
    "address",
    [
        "=?iso-8859-1?q?=61=0d=0aRCPT?=@b1.example",  # aiosmtpd decodes this into a CR and LF
        "a\rb@fabric.test",
        "a\0b@fabric.test",
        "a\x1bb@fabric.test",
        "a b@fabric.test",
        "alice@fabric.test\0",
        "@relay.test:alice@fabric.test",
        "alice",
        "alice@",
        "@fabric.test",
        "alice@fabric..test",
        "alice@fabric.test>",
        '"alice@fabric.test',
        "a" * 65 + "@fabric.test",
        "alice@" + "d" * 250 + ".test",
        "\udcff@fabric.test",
    ],
)
async def test_an_address_that_is_none_is_refused_at_once(address: str) -> None:
    door = FakeDoor()
    async with open_door(door) as listener, talk(listener) as client:
        octets = address.encode(errors="surrogateescape")
        client.send(
            b"MAIL FROM:<" + octets + b">\r\n", "MAIL FROM:<>\r\n", b"RCPT TO:<" + octets + b">\r\n", "DATA\r\n"
        )
        assert codes(await client.replies(4)) == ["553 5.1.7", "250 2.1.0", "553 5.1.3", "554 5.5.1"]


def test_addresses_as_they_may_be_written() -> None:
    assert rcpt("TO:<Alice@Fabric.TEST>") == RcptCommand(Address("Alice", "fabric.test"))
    assert rcpt("to: <alice@fabric.test> ") == RcptCommand(Address("alice", "fabric.test"))
    assert rcpt('TO:<"a > b"@fabric.test>') == RcptCommand(Address('"a > b"', "fabric.test"))
    assert rcpt("TO:<POSTMASTER>") == RcptCommand(Address("postmaster", "fabric.test"))
    assert parse_mail("FROM:<>") == MailFrom(None)


@pytest.mark.parametrize("argument", ["", "TO", "alice@fabric.test", "FROM:<a@b.test>", "TO:alice@fabric.test", "TO:"])
def test_what_is_no_rcpt_is_told_the_syntax(argument: str) -> None:
    refused = rcpt(argument)
    assert isinstance(refused, Refused) and refused.code == 501


def test_addresses_beyond_ascii_need_smtputf8() -> None:
    assert rcpt("TO:<ålice@fabric.test>", smtputf8=True) == RcptCommand(Address("ålice", "fabric.test"))
    for refused in (rcpt("TO:<ålice@fabric.test>"), parse_mail("FROM:<å@b.test>")):
        assert isinstance(refused, Refused) and refused.text.startswith("5.6.7")
    assert parse_mail("FROM:<å@b.test> SMTPUTF8") == MailFrom(Address("å", "b.test"), smtputf8=True)


def test_mail_parameters() -> None:
    command = parse_mail("FROM:<a@b.test> size=12 body=8bitmime SMTPUTF8 ret=full ENVID=x+20y AUTH=<>")
    assert command == MailFrom(Address("a", "b.test"), 12, True, True, "FULL", "x y")


@pytest.mark.parametrize(
    ("parameter", "code"),
    [
        ("SIZE", 501),
        ("SIZE=x", 501),
        ("SIZE=-1", 501),
        ("SIZE=²", 501),
        ("SIZE=" + "1" * 21, 501),
        ("SIZE=1 SIZE=1", 501),
        ("BODY=BINARYMIME", 501),
        ("SMTPUTF8=yes", 501),
        ("RET=ALL", 501),
        ("ENVID=", 501),
        ("ENVID=a+0Ab", 501),
        ("ENVID=a+b", 501),
        ("ENVID=a\x1bb", 501),
        ("ENVID=" + "a" * 101, 501),
        ("=1", 501),
        ("BY=120;R", 555),
        ("X", 555),
        ("\x0bSIZE=1", 501),
    ],
)
def test_mail_parameters_that_are_not_taken(parameter: str, code: int) -> None:
    refused = parse_mail(f"FROM:<a@b.test> {parameter}")
    assert isinstance(refused, Refused) and refused.code == code


@pytest.mark.parametrize(
    ("parameter", "code"),
    [
        ("NOTIFY=", 501),
        ("NOTIFY=NEVER,DELAY", 501),
        ("NOTIFY=NEVERMORE", 501),
        ("NOTIFY=SUCCESS,,DELAY", 501),
        ("ORCPT=alice", 501),
        ("ORCPT=rfc822;", 501),
        ("ORCPT=rfc822;a=b", 501),
        ("ORCPT=rfc822;å", 501),
        ("ORCPT=rfc822;" + "a" * 500, 501),
        ("SIZE=1", 555),
    ],
)
def test_rcpt_parameters_that_are_not_taken(parameter: str, code: int) -> None:
    refused = rcpt(f"TO:<alice@fabric.test> {parameter}", smtputf8=True)
    assert isinstance(refused, Refused) and refused.code == code


@given(st.text() | st.text(alphabet='<>"\\@.:= TO\r\n\0å'))
def test_whatever_comes_is_answered(argument: str) -> None:
    for line in (argument, f"TO:{argument}", f"TO:<{argument}>", f"TO:<a@b.test> {argument}"):
        answer = rcpt(line)
        if isinstance(answer, RcptCommand):
            assert str(answer.address).isprintable() and answer.orcpt.isprintable()
            assert "=?" not in str(answer.address)
    for line in (f"FROM:<{argument}>", f"FROM:<a@b.test> {argument}"):
        sent = parse_mail(line)
        assert not isinstance(sent, MailFrom) or sent.envid.isprintable()

"""A transaction's words: what is written holds only our commands, and every recipient gets one outcome."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.address import parse_address
from mail.outcome import Deferred, Delivered, Refused
from spool.letter import (
    Letter,
    Offer,
    judge,
    judge_lost,
    mail_command,
    misfit,
    prepare,
    rcpt_block,
    rcpt_commands,
    read_offer,
    xtext,
)
from spool.reply_reader import Reply

ALL = Offer(pipelining=True, eightbit=True, smtputf8=True, dsn=True, size=1000)
NO, OK, GO = Reply(550, "5.1.1 no"), Reply(250, "2.0.0 Ok"), Reply(354, "go")


@given(
    st.lists(st.sampled_from([b"a", b".", b"..", b"\r\n", b"\r\n.\r\n", b"\n", b"\r", b"\n.\n", b"\xc3\xa4"])).map(
        b"".join
    )
)
def test_no_message_can_end_itself_and_none_is_changed(message: bytes) -> None:
    wire = prepare(message).wire
    assert wire.endswith(b"\r\n") and b"\r\n.\r\n" not in b"\r\n" + wire  # the final dot is ours alone
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", wire)  # no bare CR or LF: nobody downstream can be smuggled to
    back = (b"\r\n" + wire).replace(b"\r\n.", b"\r\n")[2:]
    clean = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    assert back == clean if clean.endswith(b"\r\n") else back == clean + b"\r\n"


def letter(sender: str = "s@a.test", recipients: tuple[str, ...] = ("r@b.test",), **more: object) -> Letter:
    return Letter(sender, recipients, **{"content": prepare(b"A: b\r\n\r\nx\r\n"), **more})  # type: ignore[arg-type]


def test_the_commands_carry_what_the_server_offers_and_no_more() -> None:
    full = letter(
        content=prepare("A: b\r\n\r\nä\r\n".encode()), envid="a+b", ret="HDRS", notes=[("NEVER", "rfc822;r@b")]
    )
    assert mail_command(full, ALL) == b"MAIL FROM:<s@a.test> SIZE=12 BODY=8BITMIME RET=HDRS ENVID=a+2Bb\r\n"
    assert (
        rcpt_commands(full, ALL) == [b"RCPT TO:<r@b.test> NOTIFY=NEVER ORCPT=rfc822;r@b\r\n"] == [rcpt_block(full, ALL)]
    )
    assert mail_command(full, Offer()) == b"MAIL FROM:<s@a.test>\r\n"
    assert rcpt_commands(full, Offer()) == [b"RCPT TO:<r@b.test>\r\n"] == [rcpt_block(full, Offer())]


@pytest.mark.parametrize("bad", ["a@b>\r\nRCPT TO:<x@y", "a\n@b", "a\x00@b", "a\x85@b"])
def test_no_address_can_start_another_command(bad: str) -> None:
    for write in (rcpt_commands, rcpt_block):
        with pytest.raises(ValueError, match="control character"):
            write(letter(recipients=(bad,)), ALL)
    with pytest.raises(ValueError, match="control character"):
        mail_command(letter(sender=bad), ALL)


@pytest.mark.parametrize("odd", ["a\u200bb@b", "a\xad@b", "\ue000@b", "\u2028@b"])
def test_what_is_an_address_at_the_door_is_one_on_the_way_out(odd: str) -> None:
    """Else it is no address of the letter's, and no other recipient of it ever gets it."""
    assert str(parse_address(odd)) == odd
    to_odd = letter(recipients=(odd,))
    assert odd.encode() in rcpt_block(to_odd, ALL) and odd.encode() in rcpt_commands(to_odd, ALL)[0]
    assert odd.encode() in mail_command(letter(sender=odd), ALL)


@given(st.text(max_size=50))
def test_xtext_is_ascii_without_its_own_marks_and_reads_back(value: str) -> None:
    coded = xtext(value)
    assert re.fullmatch(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*", coded)
    assert re.sub(rb"\+([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), coded.encode()) == value.encode()


def test_what_a_server_does_not_offer_refuses_the_mail_that_needs_it() -> None:
    eightbit = letter(content=prepare("A: b\r\n\r\nä\r\n".encode()))
    utf8_header = letter(content=prepare("A: ä\r\n\r\n\r\n".encode()), smtputf8=True)
    assert (
        isinstance(why := misfit(letter(recipients=("ä@b.test",)), Offer(eightbit=True)), Refused)
        and "5.6.7" in why.text
    )
    assert isinstance(why := misfit(utf8_header, Offer(eightbit=True)), Refused) and "5.6.7" in why.text
    assert isinstance(why := misfit(eightbit, Offer(smtputf8=True)), Refused) and "5.6.3" in why.text
    assert isinstance(why := misfit(letter(content=prepare(b"x" * 2000)), ALL), Refused) and "5.3.4" in why.text
    assert misfit(letter(smtputf8=True), Offer()) is None  # declared, and not needed
    assert misfit(utf8_header, ALL) is None and misfit(letter(content=prepare(b"x" * 2000)), Offer()) is None


def test_an_offer_is_read_without_trust() -> None:
    assert read_offer(
        ["pipelining", "SIZE 77", "XHELIOGRAPH n0nce", "8BITMIME", "SMTPUTF8", "DSN", "STARTTLS"]
    ) == Offer(True, True, True, True, True, 77, "n0nce")
    assert read_offer(["SIZE", "SIZE 9999999999999999999", "XHELIOGRAPH " + "x" * 300, ""]) == Offer()


def test_each_recipient_gets_the_word_that_concerns_it() -> None:
    assert judge(OK, [OK, NO], OK) == [Delivered("2.0.0 Ok"), Refused("5.1.1 no")]
    assert judge(NO, [OK, OK], OK) == [Refused("5.1.1 no")] * 2
    assert judge(OK, [OK, GO], Reply(451, "later")) == [Deferred("later"), Deferred("4.5.0 unexpected reply: 354 go")]
    lost = judge_lost(3, OK, [NO, OK], "gone")
    assert lost == [Refused("5.1.1 no"), Deferred("4.4.2 gone", 421), Deferred("4.4.2 gone", 421)]
    assert judge_lost(2, None, [], "gone") == [Deferred("4.4.2 gone", 421)] * 2

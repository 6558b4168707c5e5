"""Conversations at the door, as RFC 5321 tells them."""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage

import aiosmtplib
import pytest
import uvloop

from spool.smtp_settings import ASKED_MAX
from tests.spool.fake_door import FakeDoor, codes, open_door, talk

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")  # both kinds of loop


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    return request.param()


async def test_a_message_comes_in() -> None:
    door = FakeDoor()
    async with open_door(door) as listener, talk(listener) as client:
        assert await client.ask("MAIL FROM:<bob@peer.test>", "RCPT TO:<alice@fabric.test>", "DATA") == [
            "250 2.1.0 Ok",
            "250 2.1.5 Ok",
            "354 End data with <CR><LF>.<CR><LF>",
        ]
        client.send("Subject: hi\r\n\r\n..dot\r\n.\r\n")
        assert await client.reply() == "250 2.0.0 Ok, queued as 1"
        assert await client.ask("QUIT") == ["221 2.0.0 Bye"]
        assert await client.rest() == []
    [(envelope, content)] = door.letters
    assert (envelope.sender, [to.address for to in envelope.recipients]) == ("bob@peer.test", ["alice@fabric.test"])
    assert content == b"Subject: hi\r\n\r\n.dot\r\n"


async def test_the_greeting_offers_what_is_there() -> None:
    async with open_door(FakeDoor(), message_octets_max=1000) as listener, talk(listener, hello="") as client:
        offers = (await client.ask("EHLO client.test"))[0].replace("250-", "250 ").split("\n")
        assert offers[:-1] == [
            "250 host-1.fabric.test",
            "250 PIPELINING",
            "250 SIZE 1000",
            "250 8BITMIME",
            "250 SMTPUTF8",
            "250 ENHANCEDSTATUSCODES",
            "250 DSN",
        ]
        assert offers[-1].startswith("250 XHELIOGRAPH ")
        assert await client.ask("HELO client.test") == ["250 host-1.fabric.test"]
        assert codes(await client.ask("EHLO", "EHLO \x01")) == ["501 5.5.4", "501 5.5.4"]


async def test_commands_out_of_order() -> None:
    async with open_door(FakeDoor()) as listener, talk(listener, hello="") as client:
        assert codes(await client.ask("MAIL FROM:<a@b.test>", "EHLO me", "RCPT TO:<a@b.test>", "DATA")) == [
            "503 5.5.1",
            "250-host-1.fabric.test 250-PIPELINING",
            "503 5.5.1",
            "503 5.5.1",
        ]
        assert codes(await client.ask("MAIL FROM:<a@b.test>", "MAIL FROM:<a@b.test>", "DATA", "DATA now")) == [
            "250 2.1.0",
            "503 5.5.1",
            "503 5.5.1",
            "501 5.5.4",
        ]


async def test_data_without_a_valid_recipient() -> None:
    async with open_door(FakeDoor()) as listener, talk(listener) as client:
        replies = await client.ask("MAIL FROM:<a@b.test>", "RCPT TO:<nobody@fabric.test>", "DATA", "NOOP")
        assert codes(replies) == ["250 2.1.0", "550 5.1.1", "554 5.5.1", "250 2.0.0"]


async def test_the_small_commands() -> None:
    async with open_door(FakeDoor()) as listener, talk(listener) as client:
        replies = await client.ask(
            "noop", "NOOP some words", "RSET", "RSET x", "VRFY alice", "VRFY", "EXPN list", "HELP", "TURN", "QUIT x", ""
        )
        assert codes(replies) == [
            "250 2.0.0",
            "250 2.0.0",
            "250 2.0.0",
            "501 5.5.4",
            "252 2.5.0",
            "501 5.5.4",
            "502 5.5.1",
            "214 2.0.0",
            "500 5.5.2",
            "501 5.5.4",
            "500 5.5.2",
        ]
        assert "MAIL" in replies[7] and "AUTH" not in replies[7]


async def test_rset_and_a_new_greeting_forget_the_transaction() -> None:
    door = FakeDoor()
    async with open_door(door) as listener, talk(listener) as client:
        for forget in ("RSET", "EHLO again"):
            begun = await client.ask("MAIL FROM:<a@b.test>", "RCPT TO:<alice@fabric.test>", forget, "DATA")
            assert codes(begun)[3] == "503 5.5.1"


async def test_the_null_sender_and_the_postmaster_without_a_domain() -> None:
    door = FakeDoor()
    async with open_door(door) as listener, talk(listener) as client:
        await client.ask("MAIL FROM:<>", "RCPT TO:<Postmaster>", "DATA")
        client.send("\r\nhelp\r\n.\r\n")
        assert codes([await client.reply()]) == ["250 2.0.0"]
    envelope, _ = door.letters[0]
    assert (envelope.sender, envelope.recipients[0].address) == ("", "postmaster@fabric.test")


async def test_a_recipient_named_twice_is_one() -> None:
    door = FakeDoor()
    async with open_door(door) as listener, talk(listener) as client:
        await client.ask("MAIL FROM:<>", "RCPT TO:<alice@fabric.test>", "RCPT TO:<alice@FABRIC.test>", "DATA")
        client.send("\r\n.\r\n")
        await client.reply()
    assert [to.address for to in door.letters[0][0].recipients] == ["alice@fabric.test"]


async def test_bare_lf_and_nul_in_commands() -> None:
    door = FakeDoor()
    async with open_door(door) as listener, talk(listener) as client:
        client.send("NOOP\n", "MAIL FROM:<a@b.test>\n", "NOOP\0\r\n", "RCPT TO:<a\0b@fabric.test>\r\n")
        assert codes(await client.replies(4)) == ["500 5.5.2", "500 5.5.2", "500 5.5.2", "503 5.5.1"]
        client.send("MAIL FROM:<>\r\n", "RCPT TO:<alice@fabric.test>\n", "DATA\r\n")
        assert codes(await client.replies(3)) == ["250 2.1.0", "500 5.5.2", "503 5.5.1"]


async def test_one_packet_of_commands_is_answered_by_one_write() -> None:
    async with open_door(FakeDoor()) as listener, talk(listener) as client:
        rcpts = "".join(f"RCPT TO:<u{n}@fabric.test>\r\n" for n in range(500))
        client.send("MAIL FROM:<>\r\n", rcpts, "DATA\r\n")
        replies = await client.replies(502)
        assert replies[1:-1] == ["250 2.1.5 Ok"] * 500 and replies[-1].startswith("354")


async def test_recipients_that_another_host_is_asked_about_keep_their_place() -> None:
    door = FakeDoor()
    async with open_door(door) as listener, talk(listener) as client:
        names = ["slow1", "alice", "slow-nobody", "nobody", "slow2", "slow-broken", "bob", "broken"]
        replies = await client.ask("MAIL FROM:<>", *(f"RCPT TO:<{name}@fabric.test>" for name in names), "DATA")
        assert [reply[:3] for reply in replies] == "250 250 250 550 550 250 451 250 451 354".split()
        assert "secret" not in "".join(replies)
        client.send("\r\n.\r\n", "NOOP\r\n")
        assert codes(await client.replies(2)) == ["250 2.0.0", "250 2.0.0"]
    assert sorted(to.address.split("@")[0] for to in door.letters[0][0].recipients) == [
        "alice",
        "bob",
        "slow1",
        "slow2",
    ]


async def test_many_are_asked_about_at_once_but_not_all() -> None:
    door = FakeDoor()
    async with open_door(door) as listener, talk(listener) as client:
        replies = await client.ask("MAIL FROM:<>", *(f"RCPT TO:<slow{n}@fabric.test>" for n in range(250)), "DATA")
        assert [reply[:3] for reply in replies] == ["250"] * 251 + ["354"]
    assert (door.asked, door.asking_most) == (250, ASKED_MAX)


async def test_the_next_message_may_follow_in_the_same_packet() -> None:
    door = FakeDoor()
    one = "MAIL FROM:<>\r\nRCPT TO:<alice@fabric.test>\r\nDATA\r\nSubject: {}\r\n\r\n.\r\n"
    async with open_door(door) as listener, talk(listener) as client:
        client.send(one.format(1), one.format(2), "QUIT\r\n")
        assert [line[:3] for line in await client.rest()] == "250 250 354 250 250 250 354 250 221".split()
    assert [content for _, content in door.letters] == [b"Subject: 1\r\n\r\n", b"Subject: 2\r\n\r\n"]


async def test_what_the_sender_or_the_message_is_refused_for_is_told() -> None:
    async with open_door(FakeDoor()) as listener, talk(listener) as client:
        assert await client.ask("MAIL FROM:<spammer@b.test>") == ["550 5.7.1 Not you"]
        await client.ask("MAIL FROM:<a@b.test>", "RCPT TO:<alice@fabric.test>", "DATA")
        client.send("Subject: refuse me\r\n\r\n.\r\n")
        assert await client.reply() == "550 5.7.1 Not such a message"


async def test_delivery_status_parameters_arrive() -> None:
    door = FakeDoor()
    async with open_door(door) as listener, talk(listener) as client:
        mail = "MAIL FROM:<a@b.test> SIZE=10 BODY=8BITMIME RET=HDRS ENVID=a+2Bb"
        rcpt = "RCPT TO:<alice@fabric.test> NOTIFY=success,delay ORCPT=rfc822;alice+40fabric.test"
        assert codes(await client.ask(mail, rcpt, "DATA"))[:2] == ["250 2.1.0", "250 2.1.5"]
        client.send("\r\n.\r\n")
        await client.reply()
    [(envelope, _)] = door.letters
    assert (envelope.ret, envelope.envid, envelope.eightbit) == ("HDRS", "a+b", True)
    assert (envelope.recipients[0].notify, envelope.recipients[0].orcpt) == (
        "SUCCESS,DELAY",
        "rfc822;alice+40fabric.test",
    )


async def test_eight_bit_text_is_noticed_though_not_declared() -> None:
    door = FakeDoor()
    async with open_door(door) as listener, talk(listener) as client:
        await client.ask("MAIL FROM:<>", "RCPT TO:<alice@fabric.test>", "DATA")
        client.send("\r\ngrüße\r\n.\r\n")
        await client.reply()
    assert door.letters[0][0].eightbit


async def test_well_known_clients_deliver() -> None:
    door = FakeDoor()
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "bob@peer.test", "alice@fabric.test", "hello"
    letter.set_content("good day\n.\n..\nend")

    def with_smtplib(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.send_message(letter)

    async with open_door(door) as listener:
        await asyncio.get_running_loop().run_in_executor(None, with_smtplib, listener.port)
        await aiosmtplib.send(letter, hostname="127.0.0.1", port=listener.port)
    texts = {content.partition(b"\r\n\r\n")[2] for _, content in door.letters}
    assert len(door.letters) == 2 and texts == {b"good day\r\n.\r\n..\r\nend\r\n"}

"""LMTP (RFC 2033): a reply for each recipient, after the commit."""

from __future__ import annotations

import asyncio
import smtplib

from tests.spool.fake_door import FakeDoor, codes, open_door, talk

LHLO = "LHLO client.test"


async def test_each_recipient_gets_a_reply() -> None:
    door = FakeDoor()
    async with open_door(door, "lmtp") as listener, talk(listener, LHLO) as client:
        rcpts = [f"RCPT TO:<{name}@fabric.test>" for name in ("alice", "nobody", "bob", "slow", "alice")]
        replies = await client.ask("MAIL FROM:<a@b.test>", *rcpts, "DATA")
        assert [reply[:3] for reply in replies] == "250 250 550 250 250 250 354".split()
        client.send("Subject: hi\r\n\r\n.\r\nNOOP\r\n")
        assert await client.replies(5) == ["250 2.0.0 Ok, queued as 1"] * 4 + ["250 2.0.0 Ok"]
    assert [to.address[:5] for to in door.letters[0][0].recipients] == ["alice", "bob@f", "slow@"]


async def test_so_they_do_when_the_message_is_refused() -> None:
    door = FakeDoor()
    rcpts = ["RCPT TO:<alice@fabric.test>", "RCPT TO:<bob@fabric.test>"]
    async with open_door(door, "lmtp") as listener, talk(listener, LHLO) as client:
        for content, status in [("a\nb\r\n.\r\n", "550 5.6.0"), ("Subject: refuse me\r\n\r\n.\r\n", "550 5.7.1")]:
            await client.ask("MAIL FROM:<>", *rcpts, "DATA")
            client.send(content)
            assert codes(await client.replies(2)) == [status] * 2
        door.fault = OSError("secret")
        await client.ask("MAIL FROM:<>", *rcpts, "DATA")
        client.send("\r\n.\r\n", "NOOP\r\n")
        assert codes(await client.replies(3)) == ["451 4.3.0", "451 4.3.0", "250 2.0.0"]


async def test_a_refused_message_for_many_is_one_error() -> None:
    async with open_door(FakeDoor(), "lmtp") as listener, talk(listener, LHLO) as client:
        await client.ask("MAIL FROM:<>", *[f"RCPT TO:<u{n}@fabric.test>" for n in range(100)], "DATA")
        client.send("a\nb\r\n.\r\n", "NOOP\r\n")
        assert codes(await client.replies(101)) == ["550 5.6.0"] * 100 + ["250 2.0.0"]


async def test_the_greeting_is_lhlo() -> None:
    async with open_door(FakeDoor(), "lmtp") as listener, talk(listener, hello="") as client:
        replies = await client.ask("MAIL FROM:<>", "EHLO me", "HELO me", "LHLO", "LHLO me")
        assert codes(replies)[:4] == ["503 5.5.1", "500 5.5.2", "500 5.5.2", "501 5.5.4"]
        assert "XHELIOGRAPH" not in replies[4] and "PIPELINING" in replies[4]
    async with open_door(FakeDoor(), "mx") as listener, talk(listener) as client:
        assert codes(await client.ask("LHLO me")) == ["500 5.5.2"]


async def test_the_standard_librarys_client_delivers() -> None:
    door = FakeDoor()

    def deliver(port: int) -> dict[str, tuple[int, bytes]]:
        with smtplib.LMTP("127.0.0.1", port) as client:
            return client.sendmail("a@b.test", ["alice@fabric.test", "nobody@fabric.test"], "Subject: hi\n\nhi")

    async with open_door(door, "lmtp") as listener:
        refused = await asyncio.get_running_loop().run_in_executor(None, deliver, listener.port)
    assert list(refused) == ["nobody@fabric.test"] and len(door.letters) == 1


async def test_a_server_in_front_tells_of_its_client_and_gets_nothing_back_that_it_would_return() -> None:
    door = FakeDoor()
    fronts = frozenset({"127.0.0.1"})
    async with open_door(door, "lmtp", fronts=fronts) as listener, talk(listener, "") as client:
        assert "XFORWARD NAME ADDR PROTO HELO" in (await client.ask(LHLO))[0]
        told = await client.ask("XFORWARD ADDR=192.0.2.9 HELO=bot", "XFORWARD ADDR=here", "XFORWARD ADDR=[UNAVAILABLE]")
        assert codes(told) == ["250 2.1.0", "501 5.5.4", "250 2.1.0"]
        await client.ask("MAIL FROM:<>", "RCPT TO:<alice@fabric.test>", "DATA")
        client.send("a\nb\r\n.\r\n")
        assert codes(await client.replies(1)) == ["250 2.6.0"]
    assert not door.letters
    async with open_door(door, "lmtp") as listener, talk(listener, LHLO) as client:
        assert codes(await client.ask("XFORWARD ADDR=192.0.2.9")) == ["502 5.5.1"]

"""STARTTLS, and TLS from the first octet: nothing said in the clear lives on."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode

import pytest
import uvloop

from tests.spool.fake_door import PASSWORD, FakeDoor, Talk, certificate, codes, open_door, talk

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")  # both kinds of loop


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    return request.param()


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return certificate(tmp_path_factory.mktemp("tls"))


async def secured(client: Talk, trusting: ssl.SSLContext) -> Talk:
    await client.writer.start_tls(trusting)
    return client


async def test_a_message_comes_in_over_starttls(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    door = FakeDoor()
    async with open_door(door, tls=contexts[0]) as listener, talk(listener, hello="") as client:
        assert "250-STARTTLS" in (await client.ask("EHLO me"))[0]
        assert codes(await client.ask("STARTTLS now", "STARTTLS")) == ["501 5.5.4", "220 2.0.0"]
        await secured(client, contexts[1])
        assert "STARTTLS" not in (await client.ask("EHLO me"))[0]
        assert codes(await client.ask("STARTTLS")) == ["503 5.5.1"]
        await client.ask("MAIL FROM:<>", "RCPT TO:<alice@fabric.test>", "DATA")
        client.send("Subject: hi\r\n\r\n" + "x" * 300_000 + "\r\n.\r\n")
        assert codes([await client.reply()]) == ["250 2.0.0"]
    assert len(door.letters[0][1]) == 300_017


async def test_what_is_pipelined_in_the_clear_is_not_obeyed(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    door = FakeDoor()
    async with open_door(door, tls=contexts[0]) as listener, talk(listener) as client:
        client.send("STARTTLS\r\nEHLO eve\r\nMAIL FROM:<eve@b.test>\r\n" + "NOOP\r\n" * 5)
        assert codes([await client.reply()]) == ["220 2.0.0"]
        await secured(client, contexts[1])
        assert codes(await client.ask("MAIL FROM:<>", "EHLO me", "RCPT TO:<alice@fabric.test>")) == [
            "503 5.5.1",
            "250-host-1.fabric.test 250-PIPELINING",
            "503 5.5.1",
        ]


async def test_what_was_known_before_tls_is_forgotten(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    door = FakeDoor()
    async with open_door(door, tls=contexts[0]) as listener, talk(listener, hello="") as client:
        nonce = (await client.ask("EHLO me"))[0].split()[-1]
        assert codes(await client.ask(f"XHELIOGRAPH host-2 {nonce}!", "MAIL FROM:<>")) == ["250 2.0.0", "250 2.1.0"]
        await client.ask("STARTTLS")
        await secured(client, contexts[1])
        assert codes(await client.ask("RCPT TO:<alice@fabric.test>", "MAIL FROM:<>")) == ["503 5.5.1", "503 5.5.1"]
        assert (await client.ask("EHLO me"))[0].split()[-1] != nonce


async def test_who_signed_in_before_tls_signs_in_again(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    sign_in = "AUTH PLAIN " + b64encode(f"\0alice\0{PASSWORD}".encode()).decode()
    async with open_door(FakeDoor(), "submission", contexts[0]) as listener, talk(listener) as client:
        assert codes(await client.ask(sign_in, "STARTTLS")) == ["235 2.7.0", "220 2.0.0"]
        await secured(client, contexts[1])
        await client.ask("EHLO me")
        assert codes(await client.ask("MAIL FROM:<alice@fabric.test>", sign_in)) == ["530 5.7.0", "235 2.7.0"]
        assert codes(await client.ask("MAIL FROM:<alice@fabric.test>")) == ["250 2.1.0"]


async def test_tls_from_the_first_octet(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    door = FakeDoor()
    server, trusting = contexts
    async with (
        open_door(door, "submission", server, implicit_tls=True) as listener,
        talk(listener, hello="", tls=trusting) as client,
    ):
        offers = (await client.ask("EHLO me"))[0]
        assert "STARTTLS" not in offers and "AUTH PLAIN LOGIN" in offers


@pytest.mark.parametrize("implicit", [True, False])
async def test_a_failed_handshake_ends_only_itself(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], implicit: bool
) -> None:
    async with open_door(FakeDoor(), tls=contexts[0], implicit_tls=implicit) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        if not implicit:
            client = Talk(reader, writer)
            await client.reply()
            await client.ask("EHLO me", "STARTTLS")
        writer.write(b"EHLO me\r\nMAIL FROM:<eve@b.test>\r\n")
        answer = await reader.read()
        assert b"250" not in answer
        writer.close()
        tls = contexts[1] if implicit else None
        async with talk(listener, tls=tls) as other:
            assert codes(await other.ask("NOOP")) == ["250 2.0.0"]


async def test_without_a_certificate_there_is_no_starttls() -> None:
    async with open_door(FakeDoor()) as listener, talk(listener, hello="") as client:
        assert "STARTTLS" not in (await client.ask("EHLO me"))[0]
        assert codes(await client.ask("STARTTLS")) == ["502 5.5.1"]

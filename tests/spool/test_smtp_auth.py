"""Signing in: who may, how often, and that nobody else waits for it."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from base64 import b64encode

import aiosmtplib
import pytest

from mail.outcome import Outcome
from spool.door import Session
from tests.spool.fake_door import (
    PASSWORD,
    FakeDoor,
    NoTransport,
    certificate,
    codes,
    open_door,
    quiet,
    session_on,
    talk,
)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return certificate(tmp_path_factory.mktemp("tls"))


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def plain(username: str, password: str = PASSWORD, authorize: str = "") -> str:
    return base64(f"{authorize}\0{username}\0{password}")


async def test_submission_needs_a_signed_in_user() -> None:
    door = FakeDoor()
    async with open_door(door, "submission") as listener, talk(listener) as client:
        assert codes(await client.ask("MAIL FROM:<bob@fabric.test>")) == ["530 5.7.0"]
        assert await client.ask(f"AUTH PLAIN {plain('bob')}") == ["235 2.7.0 Welcome"]
        assert codes(await client.ask("MAIL FROM:<bob@fabric.test>", "AUTH PLAIN x")) == ["250 2.1.0", "503 5.5.1"]
        assert codes(await client.ask("RSET", f"AUTH PLAIN {plain('eve')}")) == ["250 2.0.0", "503 5.5.1"]
    assert door.attempts == [("bob", PASSWORD.encode())]


@pytest.mark.parametrize("mechanism", ["PLAIN", "plain", "LOGIN", "Login"])
async def test_mechanisms_with_and_without_an_initial_response(mechanism: str) -> None:
    door = FakeDoor()
    words = [plain("bob")] if mechanism.upper() == "PLAIN" else [base64("bob"), base64(PASSWORD)]
    async with open_door(door, "submission") as listener:
        async with talk(listener) as client:
            assert (await client.ask(f"AUTH {mechanism}"))[0].startswith("334 ")
            assert codes(await client.ask(*words))[-1] == "235 2.7.0"
        async with talk(listener) as client:
            assert codes(await client.ask(f"AUTH {mechanism} {words[0]}", *words[1:]))[-1] == "235 2.7.0"
    assert door.attempts == [("bob", PASSWORD.encode())] * 2


async def test_clients_sign_in_over_tls(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, trusting = contexts
    door = FakeDoor()

    def with_smtplib(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.starttls(context=trusting)
            client.login("bob", PASSWORD)
            client.sendmail("bob@fabric.test", ["alice@fabric.test"], "Subject: hi\n\nhi")

    async with open_door(door, "submission", server) as listener:
        await asyncio.get_running_loop().run_in_executor(None, with_smtplib, listener.port)
    async with open_door(door, "submission", server, implicit_tls=True) as listener:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=listener.port, use_tls=True, tls_context=trusting)
        async with client:
            await client.login("bob", PASSWORD)
            await client.sendmail("bob@fabric.test", ["alice@fabric.test"], "Subject: hi\n\nhi")
    assert len(door.letters) == 2


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("AUTH", "501 5.5.4"),
        ("AUTH CRAM-MD5", "504 5.5.4"),
        ("AUTH PLAIN a b", "501 5.5.4"),
        ("AUTH PLAIN !!!", "501 5.5.2"),
        ("AUTH PLAIN AAA=", "535 5.7.8"),
        (f"AUTH PLAIN {base64('no zeros')}", "501 5.5.2"),
        (f"AUTH PLAIN {plain('bob', authorize='eve')}", "535 5.7.8"),
        (f"AUTH PLAIN {plain('', '')}", "535 5.7.8"),
        (f"AUTH PLAIN {plain('bob', 'x' * 2000)}", "535 5.7.8"),
        ("AUTH PLAIN " + b64encode(b"\0\xff\0x").decode(), "501 5.5.2"),
        ("AUTH LOGIN å", "501 5.5.2"),
        (f"AUTH PLAIN {plain('away')}", "454 4.7.0"),
        (f"AUTH PLAIN {plain('bob', 'wrong')}", "535 5.7.8"),
    ],
)
async def test_what_does_not_sign_in(line: str, code: str) -> None:
    async with open_door(FakeDoor(), "submission") as listener, talk(listener) as client:
        assert codes(await client.ask(line, "MAIL FROM:<>")) == [code, "530 5.7.0"]


@pytest.mark.parametrize("answer", ["*", "!", "x" * 20_000])
async def test_a_challenge_can_be_left(answer: str) -> None:
    async with open_door(FakeDoor(), "submission") as listener, talk(listener) as client:
        await client.ask("AUTH LOGIN")
        assert codes(await client.ask(answer, "NOOP"))[0].startswith("501 5.")


async def test_guessing_ends_the_connection() -> None:
    door = FakeDoor()
    async with open_door(door, "submission") as listener, talk(listener) as client:
        replies = await client.ask(*[f"AUTH PLAIN {plain('bob', str(n))}" for n in range(5)])
        assert [reply[:3] for reply in replies] == ["535"] * 4 + ["421"]
        assert await client.rest() == []


async def test_guessing_from_elsewhere_takes_time(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    transport = NoTransport("192.0.2.7")
    session = await session_on(FakeDoor(), transport, "submission", sign_in_delay_seconds=0.05)
    session.data_received(b"EHLO me\r\nAUTH PLAIN\r\n")
    await quiet()
    assert b"AUTH" not in transport.written.partition(b"538 ")[0], "not offered in the clear"
    assert transport.written.endswith(b"538 5.7.11 Encryption required for requested authentication mechanism\r\n")
    session._auth_require_tls = False
    session.data_received(f"AUTH PLAIN {plain('bob', 'wrong')}\r\n".encode())
    await quiet()
    assert b"535" not in transport.written
    await asyncio.sleep(0.1)
    assert transport.written.endswith(b"535 5.7.8 Wrong name or password\r\n")
    session.connection_lost(None)


async def test_others_are_served_while_a_password_is_checked() -> None:
    door = FakeDoor()
    checked = asyncio.Event()

    async def slow(session: Session, username: str, password: bytes) -> Outcome:
        await checked.wait()
        return await FakeDoor.authenticate(door, session, username, password)

    door.authenticate = slow  # type: ignore[method-assign]
    async with open_door(door, "submission") as listener, talk(listener) as one, talk(listener) as other:
        one.send(f"AUTH PLAIN {plain('bob')}\r\n")
        assert codes(await other.ask("NOOP")) == ["250 2.0.0"]
        checked.set()
        assert codes([await one.reply()]) == ["235 2.7.0"]


async def test_no_password_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_door(FakeDoor(), "submission") as listener, talk(listener) as client:
        for password in ("wrong-secret", PASSWORD):
            await client.ask("AUTH LOGIN", base64("b\x1bob\r\n"), base64(password))
            await client.ask(f"AUTH PLAIN {plain('bob', password)}")
    said = caplog.text
    for secret in ("wrong-secret", PASSWORD, base64("wrong-secret"), base64(PASSWORD), plain("bob"), "\x1b"):
        assert secret not in said
    assert r"username=b\x1bob\r\n" in said


async def test_only_submission_signs_anybody_in() -> None:
    async with open_door(FakeDoor(), "mx") as listener, talk(listener) as client:
        assert codes(await client.ask(f"AUTH PLAIN {plain('bob')}")) == ["500 5.5.2"]

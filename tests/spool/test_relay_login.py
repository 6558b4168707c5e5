"""Signing in at an operator's relay: under TLS, or to this very machine; what goes wrong defers."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest

import spool.client_greeting
from mail.outcome import Deferred
from spool.peer import Access, Login
from spool.peer import Peer as Where
from spool.smtp_client import Client, Session
from tests.spool.queue_house import QUICK, SETTINGS, House
from tests.spool.scripted_peer import Peer

LOGIN = Login("fabric", "s3cret")


class Relay(Peer):
    """Takes fabric's password by PLAIN or LOGIN."""

    def __init__(self, *mechanisms: str) -> None:
        super().__init__(features=("PIPELINING", f"AUTH {' '.join(mechanisms)}"), hook=self.sign_in)
        self.words: list[str] = []

    async def sign_in(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if not line.startswith("AUTH"):
            return False
        words = line.split()[2:]
        while line == "AUTH LOGIN" and len(words) < 2:
            writer.write(b"334 VXNlcm5hbWU6\r\n")
            words.append((await reader.readline()).decode().strip())
        self.words = [b64decode(word).decode() for word in words]
        good = self.words in (["\0fabric\0s3cret"], ["fabric", "s3cret"])
        writer.write(b"235 2.7.0 Welcome\r\n" if good else b"535 5.7.8 Who are you\r\n")
        return True


async def connect(relay: Peer, login: Login = LOGIN) -> Session | Deferred:
    return await Client("us.test", QUICK).connect(Where("127.0.0.1", relay.port, "relay.test", login=login))


@pytest.mark.parametrize("mechanisms", [("LOGIN", "PLAIN"), ("plain",), ("CRAM-MD5", "LOGIN")])
async def test_it_signs_in_by_what_is_offered(mechanisms: tuple[str, ...]) -> None:
    async with Relay(*mechanisms) as relay:
        assert isinstance(await connect(relay), Session) and relay.words


async def test_a_wrong_password_and_an_unknown_mechanism_wait_for_the_operator() -> None:
    async with Relay("PLAIN") as relay:
        refused = await connect(relay, Login("fabric", "wrong"))
        assert isinstance(refused, Deferred) and "535 5.7.8" in refused.text and "wrong" not in refused.text
    async with Relay("CRAM-MD5") as relay:
        refused = await connect(relay)
        assert isinstance(refused, Deferred) and "neither" in refused.text
    assert "s3cret" not in repr(Where("a", 1, login=LOGIN))


async def test_a_password_is_not_said_in_clear_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool.client_greeting, "is_loopback", lambda address: False)
    async with Relay("PLAIN") as relay:
        refused = await connect(relay)
        assert isinstance(refused, Deferred) and refused.text.startswith("4.7.11") and not relay.words


async def test_mail_for_all_domains_goes_there_with_a_row_and_a_return_path_each(tmp_path: Path) -> None:
    async with Relay("PLAIN") as relay:
        place = f"127.0.0.1:{relay.port}"
        settings = replace(SETTINGS, access={place: Access(LOGIN)})
        async with House(tmp_path, settings) as house:
            house.fabric.ports = {"a.test": relay.port, "b.test": relay.port}
            await house.put("x@a.test", "y@b.test", "z@b.test")
            await house.empty()
        assert sorted(relay.recipients) == ["x@a.test", "y@b.test", "z@b.test"]
        assert relay.words == ["\0fabric\0s3cret"]


async def test_a_relay_that_must_have_tls_and_has_not_gets_nothing(tmp_path: Path) -> None:
    async with Relay("PLAIN") as relay:
        place = f"127.0.0.1:{relay.port}"
        settings = replace(SETTINGS, access={place: Access(strict=True)})
        async with House(tmp_path, settings) as house:
            house.fabric.ports = {"a.test": relay.port}
            await house.put("x@a.test")
            await house.until(lambda: [row.reply[:9] for row in house.waiting()] == ["451 4.7.5"])
        assert not relay.taken

"""Any host takes any login; the owner of the account judges the password and serves the mailbox."""

from __future__ import annotations

import asyncio
import imaplib
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heliograph.acts import operations
from heliograph.door.login import Login
from mail.outcome import Deferred, Delivered, Outcome, Refused
from mailbox_host import accounts
from mailbox_host.bell import Bell
from mailbox_host.imap import ImapServer, Settings, Throttle, verify_remotely
from mailbox_host.imap.effects import SignedIn, SignIn
from mailbox_host.imap.stand_in import signed_in
from mailbox_host.imap.throttle import FREE_TRIES
from mailbox_host.passwords import PasswordChecker, hash_password
from mailbox_host.tables import MIGRATIONS
from store import Store
from store.bodies import MIGRATION as STORE_MIGRATION
from tests.fabric.town import Person, Town


async def test_a_mailbox_is_the_same_at_every_host(town: Town) -> None:
    await town.person("alice", 2).send("heidi@fabric.test", "see me everywhere")
    await town.still()
    for number in (1, 2, 3):
        heidi = town.person("heidi", number)
        assert await heidi.subjects() == ["see me everywhere"]
        assert await asyncio.to_thread(flags_after_reading, heidi) == ([b"\\Seen"] if number > 1 else [])
    assert (await town.person("heidi@fabric.test", 1).subjects()) == ["see me everywhere"]


def flags_after_reading(person: Person) -> list[bytes]:
    """Which flags the first message has; then mark it as seen."""
    with person.session() as client:
        client.select("INBOX")
        _, found = client.uid("FETCH", "1", "(FLAGS)")
        client.uid("STORE", "1", "+FLAGS", "(\\Seen)")
        return [flag for flag in imaplib.ParseFlags(found[0]) if flag != b"\\Recent"]


async def test_every_host_asks_the_owner_for_the_password(town: Town) -> None:
    for number in (1, 2, 3):
        assert (await town.person("heidi", number).send("bob@fabric.test", "signed in")).startswith("250")
        wrong = Person(town.config, "heidi", town.address(number), password="battery staple")
        assert (await wrong.send("bob@fabric.test", "guessing")).startswith("535")
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            await wrong.letters()


class Deaf:
    """A stream's other half, into which anything goes."""

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    def close(self) -> None: ...


async def test_a_copy_s_word_is_none_for_who_wants_to_send() -> None:
    """A host whose zone is newer may take the standby for the owner already."""

    async def answered(text: str) -> Outcome:
        async def open_stream(host: str, client: str) -> tuple[asyncio.StreamReader, Any]:
            reader = asyncio.StreamReader()
            reader.feed_data(b"* OK here\r\nA OK " + text.encode() + b"\r\nB OK Done\r\n")
            return reader, Deaf()

        return await verify_remotely(open_stream, "host-3", "heidi", b"right")

    assert isinstance(await answered("Signed in"), Delivered)
    copied = await answered(signed_in("host-2"))
    assert isinstance(copied, Deferred) and copied.code == 454


async def test_a_changed_password_counts_at_once_everywhere(town: Town) -> None:
    for number in (1, 2, 3):
        assert (await town.person("heidi", number).send("bob@fabric.test", "old")).startswith("250")
    home, fresh = town.hosts["host-2"], hash_password(b"battery staple")
    await home.store.write(lambda tx: operations.set_password(tx, home._site(), 0.0, "heidi", fresh))
    for number in (1, 2, 3):
        assert (await town.person("heidi", number).send("bob@fabric.test", "old")).startswith("535")
        new = Person(town.config, "heidi", town.address(number), password="battery staple")
        assert (await new.send("bob@fabric.test", "new")).startswith("250")


async def test_guesses_over_imap_and_submission_count_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("heliograph.door.login.asyncio.sleep", sleep)
    store = Store(tmp_path / "host.db", [STORE_MIGRATION, *MIGRATIONS])
    store.write_now(lambda tx: accounts.add(tx, "alice", hash_password(b"right"), 0.0))
    checker, throttle = PasswordChecker(threads=1), Throttle()
    directory = SimpleNamespace(names=SimpleNamespace(bucket=lambda entity: 1))
    owned = SimpleNamespace(owns=lambda name: True, owns_now=lambda tx, name: True)
    login = Login(owned, store, lambda: directory, None, checker, throttle, lambda: 0.0)  # type: ignore[arg-type]
    imap = ImapServer(store, Bell(), checker, Settings("fabric.test", "host-1"), clock=lambda: 0.0, throttle=throttle)
    with caplog.at_level(logging.DEBUG):
        for _ in range(FREE_TRIES):
            assert isinstance(await login.check("alice", b"hunter2", "192.0.2.1"), Refused)
        assert waits == [0.0] * FREE_TRIES
        await imap.services.sign_in(SignIn("alice", b"hunter2", b"a"), "192.0.2.1", relayed=False)
        assert isinstance(await login.check("../../etc/passwd" * 999, b"hunter2", "192.0.2.1"), Refused)
    assert waits[FREE_TRIES:] == [0.5, 1.0]
    assert "hunter2" not in caplog.text
    assert max(map(len, caplog.messages)) < 300
    assert isinstance(await login.check("alice", b"right", "127.0.0.1"), Delivered)
    assert isinstance(await imap.services.sign_in(SignIn("alice", b"right", b"a"), "::1", relayed=False), SignedIn)
    assert waits[FREE_TRIES + 2 :] == [0.0, 0.0]  # loopback is exempt
    checker.close()
    store.close()

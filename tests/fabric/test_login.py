"""Any host takes any login; the owner of the account judges the password and serves the mailbox."""

from __future__ import annotations

import asyncio
import imaplib

import pytest

from heliograph import operations
from mailbox_host.passwords import hash_password
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


async def test_a_changed_password_counts_at_once_everywhere(town: Town) -> None:
    for number in (1, 2, 3):
        assert (await town.person("heidi", number).send("bob@fabric.test", "old")).startswith("250")
    home, fresh = town.hosts["host-2"], hash_password(b"battery staple")
    await home.store.write(lambda tx: operations.set_password(tx, home._site(), 0.0, "heidi", fresh))
    for number in (1, 2, 3):
        assert (await town.person("heidi", number).send("bob@fabric.test", "old")).startswith("535")
        new = Person(town.config, "heidi", town.address(number), password="battery staple")
        assert (await new.send("bob@fabric.test", "new")).startswith("250")

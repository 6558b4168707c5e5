"""The host's copy of what an account sends: only for who wants it, once, at whichever host she submits."""

from __future__ import annotations

import asyncio
import imaplib

from mailbox_host.sent import set_keeps_sent
from tests.fabric.audit import faults
from tests.fabric.town import Person, Town, letter

BOB = "bob@reflectors.fabric.test"


def flags(person: Person, folder: str) -> list[bytes]:
    with person.session() as client:
        client.select(folder, readonly=True)
        _, found = client.fetch("1:*", "(FLAGS)")
        return [b" ".join(imaplib.ParseFlags(line)) for line in found if isinstance(line, bytes)]


async def test_copies_are_kept_for_who_wants_them_at_whichever_host(town: Town) -> None:
    bob, erin = town.person("bob"), town.person("erin")
    await town.hosts["host-3"].store.write(lambda tx: set_keeps_sent(tx, "bob", True))
    for number in (1, 2, 3):  # host-3 is his
        content = letter(bob.mail, erin.mail, f"from {number}")
        sender = town.person("bob", number)
        for _ in range(2):  # its client did not hear the 250
            assert (await sender.submit(content, [erin.mail, bob.mail, BOB])).startswith("250")
        await town.still()
    sent = await bob.letters("Sent")
    assert [found["Subject"] for found in sent] == ["from 1", "from 2", "from 3"]
    assert not [name for found in sent for name in found if name.lower().startswith(("heliograph-", "dkim-"))]
    assert await bob.subjects() == await erin.subjects() == ["from 1", "from 2", "from 3"]
    assert all(b"\\Seen" in found for found in await asyncio.to_thread(flags, bob, "Sent"))
    assert (await erin.send(bob.mail, "mine")).startswith("250")
    await town.still()
    assert await erin.letters("Sent") == []
    for host in town.hosts.values():
        assert faults(host.store.path) == []

"""A host is away, and its people read: from the copy at its standby, by any host, and they change nothing there."""

from __future__ import annotations

import asyncio
import hashlib
import imaplib
from pathlib import Path
from typing import Any

import pytest

from directory.hosts import with_standby
from heliograph.demo.stage import free_net
from heliograph.standby import stand_ins
from heliograph.zone.file import draft
from tests.fabric.town import PASSWORD, Person, Town, make_fabric, until

OWNER, STANDBY = "host-2", "host-3"
MAIL = ["You follow bob", "one", "two"]


async def test_who_is_away_is_read_from_the_copy_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_ins, "GRACE_SECONDS", 0.0)
    monkeypatch.setattr(stand_ins, "LOOK_SECONDS", 0.05)
    with free_net() as net:
        config = make_fabric(tmp_path / "fabric", net)
        draft(config, lambda zone: with_standby(zone, OWNER, STANDBY)).write()
        town = Town(config, net)
        async with town.at_work():
            await heidi_has_mail(town)
            await until(lambda: (state := town.hosts[OWNER].sender.state()) and state.phase == "in step")
            await town.stop(OWNER)
            assert await town.person("heidi", 3).subjects() == MAIL  # a post is filed by its owner alone
            path = town.config.host_folder(STANDBY) / "standby" / OWNER / "heliograph.db"
            before = digest(path)
            await asyncio.to_thread(read_and_try_to_change, town.person("heidi", 1))
            await it_judges_nobody_for_sending_and_calls_no_password_wrong(town)
            await a_session_ends_when_the_copy_is_wanted(town)
            assert digest(path) == before
            await when_the_owner_is_back_its_people_are_led_there(town)


async def heidi_has_mail(town: Town) -> None:
    """Two letters, and a post that was not filed yet."""
    await town.person("heidi").send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()
    for subject in ("one", "two"):
        await town.person("alice").send("heidi@fabric.test", subject)
        await town.still()
    assert await town.person("heidi").subjects() == MAIL
    await town.person("bob").send("bob@reflectors.fabric.test", "unfiled")
    await town.still()


def digest(path: Path) -> tuple[list[str], str]:
    return sorted(found.name for found in path.parent.glob("heliograph.db*")), hashlib.sha256(
        path.read_bytes()
    ).hexdigest()


def said(client: imaplib.IMAP4, *command: Any) -> str:
    """The tagged answer's text, of commands that may be refused."""
    kind, (text, *_) = getattr(client, command[0])(*command[1:])
    return f"{kind} {text.decode()}"


def read_and_try_to_change(person: Person) -> None:
    with person.session() as client:
        assert said(client, "_simple_command", "SELECT", "INBOX") == "OK [READ-ONLY] Done"
        client.state, client.is_readonly = "SELECTED", True  # imaplib takes such an answer for a fault
        assert client.response("PERMANENTFLAGS")[1] == [b"()"] and client.response("EXISTS")[1] == [b"3"]
        assert client.response("RECENT")[1] == [b"0"]
        whole = client.fetch("1:*", "(FLAGS ENVELOPE BODYSTRUCTURE PREVIEW BODY[])")[1]
        assert b"Subject: two" in b"".join(part for item in whole if isinstance(item, tuple) for part in item)
        assert b"\\Seen" not in b"".join(client.fetch("1:*", "(FLAGS)")[1])
        assert client.search(None, "SUBJECT", "two")[1] == [b"3"] and client.search(None, "BODY", "one")[1] == [b"1 2"]
        assert client.sort("REVERSE SUBJECT", "UTF-8", "ALL")[1] == [b"1 3 2"]
        assert client.thread("REFERENCES", "UTF-8", "ALL")[1] == [b"(1)(2)(3)"]
        assert b"MESSAGES 3" in client.status("INBOX", "(MESSAGES UNSEEN)")[1][0]
        assert b"Sent" in b"".join(client.list()[1])
        refused = [
            said(client, "store", "1", "+FLAGS", "(\\Seen)"),
            said(client, "copy", "1", "Trash"),
            said(client, "create", "New"),
            said(client, "delete", "Trash"),
            said(client, "rename", "Trash", "Rubbish"),
            said(client, "unsubscribe", "Trash"),
            said(client, "append", "Drafts", "", None, b"Subject: x\r\n\r\nx"),
            said(client, "expunge"),
            said(client, "uid", "MOVE", "1", "Trash"),
        ]
        for answer in refused:
            assert answer.startswith("NO [UNAVAILABLE] host-2, the host of this account, is away"), answer
        assert said(client, "noop").startswith("OK") and said(client, "close").startswith("OK")


async def it_judges_nobody_for_sending_and_calls_no_password_wrong(town: Town) -> None:
    for number in (1, 3):
        assert (await town.person("heidi", number).send("bob@fabric.test", "hello")).startswith("454")
        wrong = Person(town.config, "heidi", town.address(number), password="battery staple")
        unknown = Person(town.config, "ivan", town.address(number))  # host-2 alone knows that there is no ivan
        for who in (wrong, unknown):
            with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
                await who.letters()


async def a_session_ends_when_the_copy_is_wanted(town: Town) -> None:
    client = await asyncio.to_thread(reading, town.person("heidi", 3))
    for tell in town.hosts[STANDBY].replicas._pressed:
        tell(OWNER)
    await until(lambda: not town.hosts[STANDBY].clients.stand_ins.shown())
    assert "come back in a moment" in await asyncio.to_thread(goodbye, client)


async def when_the_owner_is_back_its_people_are_led_there(town: Town) -> None:
    client = await asyncio.to_thread(reading, town.person("heidi", 1))
    await town.start(OWNER)
    assert "come back in a moment" in await asyncio.to_thread(goodbye, client)
    assert not town.hosts[STANDBY].clients.stand_ins.shown()
    assert await town.person("heidi", 1).subjects() == [*MAIL, "unfiled"]


def reading(person: Person) -> imaplib.IMAP4:
    client = imaplib.IMAP4(person.host, person.config.ports.imap, timeout=20)
    client.login(person.name, PASSWORD)
    client.select("INBOX", readonly=True)
    return client


def goodbye(client: imaplib.IMAP4) -> str:
    """Wait in IDLE until the other side ends it."""
    client.send(b"x IDLE\r\n")
    with client.file as lines:
        text: bytes = lines.read()
    client.sock.close()
    return text.decode()

"""A host that is away: its mail is taken, waits, and arrives once; its people are asked to come again."""

from __future__ import annotations

import imaplib

import pytest

from tests.fabric.town import OUTSIDE, Town, from_outside, letter, until

ZOE = f"zoe@{OUTSIDE}"


async def test_mail_for_a_host_that_is_away_waits_and_arrives_once(town: Town) -> None:
    await town.person("heidi").send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()
    await town.stop("host-2")
    smtp, heidi = town.config.ports.smtp, "heidi@fabric.test"
    for number in (1, 3):
        content = letter(ZOE, heidi, f"by host {number}")
        said = await from_outside(town.address(number), smtp, ZOE, [heidi], content)
        assert said.startswith("250"), said
    unknown = "ivan@fabric.test"  # his bucket is at host-2, which alone knows that there is no ivan
    content = letter(ZOE, unknown, "who?")
    assert (await from_outside(town.address(1), smtp, ZOE, [unknown], content)).startswith("250")
    assert (await town.person("bob", 3).send("bob@reflectors.fabric.test", "while you were away")).startswith("250")
    await until(lambda: [row for row in town.waiting() if row.attempts and row.recipient == heidi])
    await town.start("host-2")
    await town.still()
    subjects = await town.person("heidi", 2).subjects()
    assert sorted(s for s in subjects if s.startswith("by")) == ["by host 1", "by host 3"]
    assert await town.person("heidi", 2).posts() == [(1, "while you were away")]


async def test_who_lives_there_hears_try_again_and_never_wrong_password(town: Town) -> None:
    await town.stop("host-2")
    said = await town.person("heidi", 1).send("bob@fabric.test", "hello")
    assert said.startswith("454"), said
    with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
        await town.person("heidi", 1).letters()
    await town.start("host-2")
    assert (await town.person("heidi", 1).send("bob@fabric.test", "hello")).startswith("250")


async def test_an_owner_in_trouble_does_not_say_wrong_password_either(town: Town) -> None:
    home = town.hosts["host-2"].store
    await home.write(lambda tx: tx.execute("ALTER TABLE account RENAME COLUMN password TO lost"))
    for number in (1, 3):
        said = await town.person("heidi", number).send("bob@fabric.test", "hello")
        assert said.startswith("454"), said
    await home.write(lambda tx: tx.execute("ALTER TABLE account RENAME COLUMN lost TO password"))
    assert (await town.person("heidi", 1).send("bob@fabric.test", "hello")).startswith("250")


async def test_a_queue_outlives_its_host(town: Town) -> None:
    """Accepted by a host that stops before it could pass anything on."""
    await town.stop("host-2")
    assert (await town.person("alice", 3).send("heidi@fabric.test", "slow boat")).startswith("250")
    await town.stop("host-3")
    await town.start("host-2")
    assert await town.person("heidi", 2).subjects() == []
    await town.start("host-3")
    await town.still()
    assert await town.person("heidi", 2).subjects() == ["slow boat"]

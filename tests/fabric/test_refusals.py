"""What the fabric's doors refuse, whichever host is asked, and how."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from mail.headers import Headers
from tests.fabric.town import OUTSIDE, Person, Town, from_outside, letter

BOB = "bob@reflectors.fabric.test"
MALLORY = f"mallory@{OUTSIDE}"


async def test_who_does_not_exist_is_refused_on_every_host(town: Town) -> None:
    for address in (
        "nobody@fabric.test",
        "nobody@b632.timeline.fabric.test",
        "nobody@reflectors.fabric.test",
        "nobody+subscribe@reflectors.fabric.test",
    ):
        for number in (1, 2, 3):
            content = letter(MALLORY, address, "anybody there?")
            smtp = town.config.ports.smtp
            said = await from_outside(town.address(number), smtp, MALLORY, [address], content)
            assert said.startswith("550 5.1.1"), said
            said = await town.person("alice", number).send(address, "anybody there?")
            assert said.startswith("550 5.1.1"), said
    assert not town.waiting()


async def test_submission_takes_nobody_elses_name(town: Town) -> None:
    alice = town.person("alice", 2)
    content = letter("bob@fabric.test", BOB, "I am bob")
    assert (await alice.submit(content, [BOB])).startswith("550 5.7.1")  # From
    assert (await alice.submit(content, [BOB], sender="bob@fabric.test")).startswith("553 5.7.1")  # the return path
    two = b"From: alice@fabric.test, bob@fabric.test\r\nSubject: we are bob\r\n\r\n.\r\n"
    assert (await alice.submit(two, [BOB])).startswith("550 5.7.1")
    twice = b"From: alice@fabric.test\r\nFrom: bob@fabric.test\r\nSubject: I am both\r\n\r\n.\r\n"
    assert (await alice.submit(twice, [BOB])).startswith("550 5.7.1")
    assert not town.waiting()
    assert (
        await alice.submit(letter("alice+news@fabric.test", "bob@fabric.test", "me"), ["bob@fabric.test"])
    ).startswith("250")


async def test_strangers_do_not_relay_and_do_not_get_in(town: Town) -> None:
    smtp = town.config.ports.smtp
    content = letter(MALLORY, "victim@pen.test", "spam")
    for number in (1, 2, 3):
        said = await from_outside(town.address(number), smtp, MALLORY, ["victim@pen.test"], content)
        assert said.startswith("554 5.7.1"), said
        guess = Person(town.config, "alice", town.address(number), password="wrong horse")
        assert (await guess.send("bob@fabric.test", "hello")).startswith("535")
        nobody = Person(town.config, "nobody", town.address(number))
        assert (await nobody.send("bob@fabric.test", "hello")).startswith("535")


async def test_only_hosts_write_to_leaves(town: Town) -> None:
    """Taken and refused later, it would be a notice to whoever a stranger names. Not 550: a new host may be ahead of
    the zone here."""
    leaf = "bob+leaf@host-2.fabric.test"
    for number in (1, 2):
        content = letter(MALLORY, leaf, "spam")
        said = await from_outside(town.address(number), town.config.ports.smtp, MALLORY, [leaf], content)
        assert said.startswith("451 4.7.1"), said
        assert (await town.person("alice", number).send(leaf, "spam")).startswith("451 4.7.1")
    assert not town.waiting()


async def test_who_is_not_the_owner_is_refused_while_he_listens(town: Town) -> None:
    """On every host, and nobody whom a stranger names as sender gets a notice."""
    for number in (1, 2, 3):
        content = letter(MALLORY, BOB, "buy this")
        said = await from_outside(town.address(number), town.config.ports.smtp, MALLORY, [BOB], content)
        assert said.startswith("550 5.7.1 only bob may post to bob@reflectors.fabric.test"), said
    said = await town.person("alice", 3).send(BOB, "me too")  # host-3 owns bob's reflector
    assert said.startswith("550 5.7.1 only bob may post to bob@reflectors.fabric.test"), said
    assert not town.waiting()
    asked = letter(MALLORY, BOB, "subscribe")
    assert (await from_outside(town.address(1), town.config.ports.smtp, MALLORY, [BOB], asked)).startswith("250")


async def test_a_letter_to_many_lists_is_read_as_often_as_one_to_a_single_list(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a large one to a thousand addresses would hold up everybody for a minute."""
    parsed = 0
    parse = Headers.parse

    def count(block: bytes) -> Headers:
        nonlocal parsed
        parsed += 1
        return parse(block)

    monkeypatch.setattr(Headers, "parse", count)
    counts = []
    for names in (["bob"], ["bob", "Bob", "bOb", "boB", "BOb", "bOB", "BoB", "BOB"]):
        parsed, to = 0, [f"{name}@reflectors.fabric.test" for name in names]
        content = letter(MALLORY, to[0], "buy this")
        said = await from_outside(town.address(3), town.config.ports.smtp, MALLORY, to, content)
        assert said.startswith("550 5.7.1 only bob")
        counts.append(parsed)
    assert counts[0] == counts[1] > 0


async def test_a_made_up_confirmation_is_refused_while_he_listens(town: Town) -> None:
    made_up = f"bob+confirm.{'a' * 24}@reflectors.fabric.test"
    for number in (1, 3):
        content = letter(MALLORY, made_up, "yes")
        said = await from_outside(town.address(number), town.config.ports.smtp, MALLORY, [made_up], content)
        assert said.startswith("550 5.1.1"), said
    assert not town.waiting()


async def test_who_goes_away_in_the_middle_of_a_handshake_is_no_fault_of_ours(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2, 3):
        reader, writer = await asyncio.open_connection(town.address(number), town.config.ports.smtp)
        for line, answer in ((b"EHLO here\r\n", b"250 "), (b"STARTTLS\r\n", b"220 ")):
            writer.write(line)
            while not (await reader.readline()).startswith(answer):
                pass
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()  # a reset, as from a host that is killed
    await asyncio.sleep(0.1)
    assert (await town.person("alice").send("bob@fabric.test", "still here")).startswith("250")
    assert [record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []

"""Nobody speaks in a host's name: forged fields are stripped and do nothing, true ones cannot be used twice."""

from __future__ import annotations

import re
from email.policy import SMTP

from mail.control import CreateSource, Goodbye, Welcome, add_controls
from mail.headers import add_headers
from mail.signature import sign
from mailbox_host.timeline import follows
from tests.fabric.town import OUTSIDE, Person, Town, from_outside, letter

BOB = "bob@reflectors.fabric.test"
MALLORY = f"mallory@{OUTSIDE}"
KEY = bytes(range(32))  # of no host


async def send(town: Town, recipient: str, content: bytes, host: int = 1) -> str:
    return await from_outside(town.address(host), town.config.ports.smtp, MALLORY, [recipient], content)


def signed(content: bytes) -> bytes:
    return sign(content, domain="fabric.test", host="host-3", key=KEY)


async def heard(person: Person) -> list[str]:
    """Every field of ours that reached a mailbox."""
    return [
        f"{name}: {value}"
        for found in await person.letters()
        for name, value in found.items()
        if name.startswith("Helio")
    ]


async def test_a_forged_post_is_a_letter_without_its_fields(town: Town) -> None:
    await town.person("heidi").send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()
    plain = letter(MALLORY, BOB, "believe me")
    forged = add_headers(plain, [("Heliograph-Source", "bob"), ("Heliograph-Post", "7")])
    for content in (forged, signed(forged)):
        for host in (1, 2):  # one that passes it on, and the one that files it
            assert (await send(town, "heidi@fabric.test", content, host)).startswith("250")
        for leaf in ("bob+leaf@host-2.fabric.test", "bob+leaf@host-3.fabric.test"):
            await send(town, leaf, content)
    await town.still()
    heidi = town.person("heidi")
    assert await heard(heidi) == []
    assert (await heidi.subjects()).count("believe me") == 2  # both letters, each filed once; neither is a post
    await town.person("bob").send(BOB, "the truth")
    await town.still()
    assert await heidi.posts() == [(1, "the truth")]


async def test_forged_control_mail_changes_nothing(town: Town) -> None:
    await town.person("heidi").send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()
    reader = town.hosts["host-2"].store.reader
    before = follows(reader, "heidi")
    plain = letter(MALLORY, "heidi@fabric.test", "a word of your host")
    for control in (Welcome("erin", 1, 9), Goodbye("bob", 1, 99)):
        content = add_controls(plain, control)
        for forged in (content, signed(content)):
            await send(town, "heidi@fabric.test", forged, 2)
            await town.person("alice", 2).submit(
                add_controls(letter("alice@fabric.test", "heidi@fabric.test", "x"), control), ["heidi@fabric.test"]
            )
    stolen = add_controls(plain, CreateSource("bob", "mallory"))
    for address in (BOB, "bob+control@reflectors.fabric.test"):
        for host in (1, 3):
            await send(town, address, signed(stolen), host)
            await send(town, address, stolen, host)
    await town.still()
    assert follows(reader, "heidi") == before
    assert await heard(town.person("heidi")) == []
    assert town.hosts["host-3"].store.reader.one("SELECT owner FROM source WHERE name = 'bob'") == ("bob",)


async def test_nobody_posts_by_saying_that_they_signed_in_as_bob(town: Town) -> None:
    await town.person("heidi").send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()
    forged = add_headers(letter("bob@fabric.test", BOB, "mine now"), [("Heliograph-Authenticated", "bob")])
    for host in (1, 2, 3):
        for content in (forged, signed(forged)):
            await send(town, BOB, content, host)
    mine = add_headers(letter("alice@fabric.test", BOB, "mine now"), [("Heliograph-Authenticated", "bob")])
    await town.person("alice", 3).submit(mine, [BOB])
    await town.person("alice", 1).submit(mine, [BOB])
    await town.still()
    assert "mine now" not in await town.person("heidi").subjects()


async def test_a_true_post_that_is_sent_again_is_not_had_again_and_cannot_be_changed(town: Town) -> None:
    """A follower's copy carries the reflector's signature: all that she can do with it is show it."""
    heidi = town.person("heidi", 2)
    await heidi.send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()
    await town.person("bob").send(BOB, "once")
    await town.still()
    (post,) = [found for found in await heidi.letters() if found["Heliograph-Post"]]
    content = post.as_bytes(policy=SMTP.clone(refold_source="none"))
    assert b"d=fabric.fabric.test" in content
    renumbered = content.replace(b"Heliograph-Post: 1", b"Heliograph-Post: 2")
    reworded = content.replace(b"once", b"twice")
    added = b"Heliograph-Control: welcome source=erin from=1 generation=9 folder=INBOX\r\n" + content
    assert len({content, renumbered, reworded, added}) == 4
    for repeat in (content, renumbered, reworded, added):
        for address in ("heidi@fabric.test", "bob+leaf@host-2.fabric.test", BOB):
            await send(town, address, repeat, 2)
            await send(town, address, repeat, 3)
    await town.still()
    assert await heidi.posts() == [(1, "once")]
    assert town.hosts["host-2"].store.reader.all("SELECT source, post FROM post_log") == [("bob", 1)]
    assert [row.source for row in follows(town.hosts["host-2"].store.reader, "heidi")] == ["bob"]
    await town.person("bob").send(BOB, "next")
    await town.still()
    assert await heidi.posts() == [(1, "once"), (2, "next")]


async def test_what_a_host_says_of_its_user_is_not_shown_to_readers(town: Town) -> None:
    """Who could read `Heliograph-Authenticated` under a signature could send it again."""
    await town.person("heidi", 1).send("bob+subscribe@reflectors.fabric.test", "")
    await town.person("heidi", 1).send("bob+owner@reflectors.fabric.test", "to the owner")
    await town.person("heidi", 1).send(["bob@fabric.test", BOB], "to both")
    await town.still()
    await town.person("bob", 1).send(BOB, "a post")
    await town.still()
    for name in ("bob", "heidi"):
        shown = b"".join(found.as_bytes() for found in await town.person(name).letters())
        assert not re.search(rb"(?i)heliograph-authenticated", shown)


async def test_mail_signed_by_a_host_that_the_zone_does_not_name_yet_waits_with_its_sender(town: Town) -> None:
    """Stripped, a new host's post would be lost among the letters."""
    plain = letter(MALLORY, "heidi@fabric.test", "from a new host")
    post = add_headers(plain, [("Heliograph-Source", "bob"), ("Heliograph-Post", "7")])
    early = sign(post, domain="fabric.test", host="host-9", key=KEY)
    assert (await send(town, "heidi@fabric.test", early)).startswith("451 4.7.5")
    other = sign(post, domain="elsewhere.test", host="host-9", key=KEY)
    assert (await send(town, "heidi@fabric.test", other)).startswith("250")
    await town.still()
    assert await heard(town.person("heidi")) == []

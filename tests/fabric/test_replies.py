"""Replies to posts: from a mail client to the author, in the thread, past the reflector."""

from __future__ import annotations

from email.message import EmailMessage

from reflector.sources import create_source
from tests.fabric.town import Person, Town, letter

BOB = "bob@reflectors.fabric.test"


def reply(person: Person, to: EmailMessage, subject: str) -> tuple[bytes, str]:
    """What a mail client makes of "reply": To is Reply-To, or else From; the thread goes on (RFC 5322 3.6.2, 3.6.4)."""
    address = (to["Reply-To"] or to["From"]).addresses[0].addr_spec
    thread = " ".join(filter(None, [to["References"], to["Message-ID"]]))
    return letter(person.mail, address, subject, In_Reply_To=to["Message-ID"], References=thread), address


async def test_a_reply_to_a_post_reaches_its_author_and_nobody_else(town: Town) -> None:
    bob, heidi, alice = town.person("bob"), town.person("heidi", 1), town.person("alice", 2)
    for follower in (heidi, alice):
        await follower.send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()
    content = letter(bob.mail, BOB, "what is new")
    assert (await bob.submit(content, [BOB])).startswith("250")
    await town.still()
    post = (await heidi.letters())[-1]
    assert post["Subject"] == "what is new" and post["List-Post"].startswith("NO")
    written, address = reply(heidi, post, "Re: what is new")
    assert address == bob.mail
    assert (await heidi.submit(written, [address])).startswith("250")
    await town.still()
    (heard,) = await bob.letters()
    assert heard["From"] == heidi.mail and heard["Subject"] == "Re: what is new"
    assert heard["In-Reply-To"] == post["Message-ID"] and str(post["Message-ID"]).encode() in content
    assert await alice.posts() == await heidi.posts() == [(1, "what is new")]
    onward, _ = reply(bob, heard, "Re: Re: what is new")  # he answers in public
    assert (await bob.submit(onward, [BOB])).startswith("250")
    await town.still()
    answer = (await alice.letters())[-1]
    assert answer["In-Reply-To"] == heard["Message-ID"]
    assert answer["References"].split() == [post["Message-ID"], heard["Message-ID"]]


async def test_a_reply_to_all_reaches_the_author_and_says_what_did_not_go(town: Town) -> None:
    alice, bob = town.person("alice"), town.person("bob")
    await alice.send("bob+subscribe@reflectors.fabric.test", "")
    await town.still()
    for number in (1, 3):  # host-3 has the reflector
        heidi = town.person("heidi", number)
        content = letter(heidi.mail, bob.mail, f"to all from {number}", Cc=BOB)
        assert (await heidi.submit(content, [bob.mail, BOB])).startswith("250")
        await town.still()
        assert (await bob.subjects())[-1] == f"to all from {number}"
        notice = (await heidi.letters())[-1].as_string()
        assert "only bob may post to" in notice and BOB in notice
    assert await alice.posts() == []


async def test_who_replies_to_a_feed_hears_that_nobody_reads_it(town: Town) -> None:
    feed = "daily-3f9a2c"
    directory = town.hosts["host-1"].directory.current
    owner = directory.owner("reflectors", directory.names.bucket(feed))
    await town.hosts[owner].store.write(lambda tx: create_source(tx, feed, feed, "The Daily", 3, 0.0))
    at = int(owner.rpartition("-")[2])
    said = await town.person("heidi", at).send(f"{feed}@reflectors.fabric.test", "Re: news")
    assert said.startswith("550 5.7.1") and "is a feed" in said
    other = town.person("heidi", at % 3 + 1)
    assert (await other.send(f"{feed}@reflectors.fabric.test", "Re: more news")).startswith("250")
    await town.still()
    assert "is a feed" in (await other.letters())[-1].as_string()

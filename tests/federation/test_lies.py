"""What a broken or hostile fabric says to a mirror, and in a mirror's name: it harms nobody but its own users."""

from __future__ import annotations

import time

import pytest

from heliograph.federation import door, flood
from mail.headers import add_headers
from tests.federation.pair import Fabric, letter, sealed, still, until
from tests.federation.test_across import follows

pytestmark = pytest.mark.asyncio(loop_scope="package")

EVE = "eve@north.test"


def at(source: str, detail: str = "") -> str:
    return f"{source}{'+' if detail else ''}{detail}@reflectors.north.test"


def here(source: str, detail: str = "") -> str:
    return f"{source}=north.test{'+' if detail else ''}{detail}@reflectors.south.test"


def post(source: str, number: int, subject: str, sender: str = "", list_id: str = "") -> bytes:
    word = {
        "List_Mirror": f"v=1; word=post; number={number}",
        "List_Id": list_id or f"<{source}.reflectors.north.test>",
    }
    return letter(sender or at(source), at(source), subject, **word)


def wish(source: str, word: str, number: int, sender: str = "") -> bytes:
    said = f"v=1; word={word}; number={number}"
    return letter(sender or here(source), at(source, word), word, List_Mirror=said)


async def test_a_mirror_takes_its_upstreams_word_alone_and_once(pair: list[Fabric]) -> None:
    north, south = pair
    await follows(south, "fay", "alice")
    await still(north, south)
    truth, lie = sealed(north, post("fay", 1, "True")), post("fay", 7, "Lie")

    # Not signed, signed with keys that north.test does not publish, by another domain, changed on the way, out of date.
    lies = {
        "unsigned": lie,
        "another's keys": sealed(north, lie, by=south.config),
        "another domain's": sealed(south, lie),
        "a From of another's": sealed(north, post("fay", 7, "Lie", sender="fay@elsewhere.test")),
        "two Froms": b"From: eve@south.test\r\n" + sealed(north, lie),
        "another word": b"List-Mirror: v=1; word=post; number=8\r\n" + sealed(north, lie),
        "another text": truth.replace(b"True\r\n", b"False\r\n"),
        "a tail": truth + b"More\r\n",
        "long ago": sealed(north, lie, now=time.time() - 8 * 86_400),
    }
    for what, content in lies.items():
        said = await south.hears(EVE, here("fay"), content, host=2)
        assert said.startswith("550 5.7."), (what, said)

    # Signed by north.test, and yet not fay's posts.
    others = {
        "bob's": post("fay", 7, "Lie", list_id="<bob.reflectors.north.test>"),
        "no list's": post("fay", 7, "Lie", list_id="<x.test>"),
        "a user's, who writes the field": post("fay", 7, "Lie", sender="bob@north.test"),
        "no number": letter(at("fay"), at("fay"), "Lie", List_Id="<fay.reflectors.north.test>"),
        "a number of no use": post("fay", 2**60, "Lie"),
        "an answer in a post's From": letter(at("fay"), at("fay"), "x", List_Mirror="v=1; word=left; number=1"),
        "a wish": letter(at("fay"), at("fay"), "x", List_Mirror="v=1; word=subscribe; number=1"),
    }
    for what, content in others.items():
        said = await south.hears(EVE, here("fay"), sealed(north, content))
        assert said.startswith("250"), (what, said)
    await still(north, south)
    mirror = "fay=north.test"
    assert not south.events("mirrored", mirror) and len(south.events("mirror-dropped", mirror)) == len(others)

    # The true one; and again, as it was, and with fields that nobody signed.
    extra = b"X-Archive: <http://evil.test/>\r\nX-Spam: no\r\nHeliograph-Source: dan\r\nHeliograph-Control: x\r\n"
    for content in (extra + truth, truth, sealed(north, post("fay", 1, "True"))):
        assert (await south.hears(EVE, here("fay"), content)).startswith("250")
    await still(north, south)
    (got,) = await south.person("alice").got("True")
    assert got["X-Spam"] is None and got["X-Archive"] is None and got["Heliograph-Source"] == mirror
    assert len(south.events("mirrored", mirror)) == 1
    assert south.one("SELECT top, state FROM mirror WHERE list = ?", mirror) == [(1, "following")]


async def test_no_copy_of_our_word_reaches_a_mailbox(pair: list[Fabric]) -> None:
    """One message for a mirror and for a person: what a host vouches for goes to the list alone."""
    north, south = pair
    await follows(south, "gus", "alice")
    await still(north, south)
    content = sealed(north, post("gus", 3, "To both"))
    assert (await south.hears(EVE, [here("gus"), "dan@south.test"], content)).startswith("250")
    (plain,) = await south.person("dan").got("To both")
    assert plain["Heliograph-Authenticated"] is None and b"fabric.south.test" not in plain.as_bytes()
    (followed,) = await south.person("alice").got("To both")
    assert followed["Heliograph-Authenticated"] is None


async def test_a_flood_waits_outside(pair: list[Fabric], monkeypatch: pytest.MonkeyPatch) -> None:
    north, south = pair
    await follows(south, "hal", "alice")
    await still(north, south)
    monkeypatch.setattr(flood, "POSTS", 3)
    monkeypatch.setattr(flood, "POSTS_PER_SECOND", 0.0)
    said = [await south.hears(EVE, here("hal"), sealed(north, post("hal", n, "Flood"))) for n in range(1, 6)]
    assert [line[:9] for line in said[3:]] == ["450 4.7.1"] * 2
    assert (await south.person("dan").send("alice@south.test", "All is well")).startswith("250")
    await south.person("alice").got("All is well")


async def test_nobody_speaks_for_a_mirror_but_its_fabric(pair: list[Fabric]) -> None:
    north, south = pair
    to, off = at("ina", "subscribe"), at("ina", "unsubscribe")
    assert (await north.hears(EVE, to, wish("ina", "subscribe", 5))).startswith("550 5.7.20")
    assert (await north.hears(EVE, to, sealed(north, wish("ina", "subscribe", 5)))).startswith("550 5.7.20")
    await still(north, south)
    assert north.followers("ina") == []

    first = sealed(south, wish("ina", "subscribe", 5))
    for content in (first, first, sealed(south, wish("ina", "subscribe", 5))):
        assert (await north.hears(EVE, to, content)).startswith("250")
    await until(lambda: north.followers("ina") == [here("ina")])
    assert (await north.hears(EVE, off, wish("ina", "unsubscribe", 6))).startswith("550")
    assert (await north.hears(EVE, off, sealed(south, wish("ina", "unsubscribe", 6)))).startswith("250")
    await until(lambda: north.followers("ina") == [])
    again = add_headers(first, [("X-Again", "yes")])  # of whoever kept the first one
    assert (await north.hears(EVE, to, again)).startswith("250")

    # Of that domain, but no mirror of this source: an ordinary address, which follows by itself.
    dan = sealed(south, wish("ina", "subscribe", 9, "dan@south.test"))
    assert (await north.hears(EVE, to, dan)).startswith("250")
    assert (await north.hears(EVE, to, sealed(south, wish("bob", "subscribe", 9)))).startswith("250")
    await still(north, south)
    assert north.followers("ina") == ["dan@south.test"]


async def test_a_fabric_that_asks_and_asks_is_one_follower(pair: list[Fabric], monkeypatch: pytest.MonkeyPatch) -> None:
    north, south = pair
    monkeypatch.setattr(flood, "POSTS", 6)
    monkeypatch.setattr(flood, "POSTS_PER_SECOND", 0.0)
    asked = [sealed(south, wish("jim", "subscribe", number)) for number in range(1, 10)]
    said = [await north.hears(EVE, at("jim", "subscribe"), content) for content in asked]
    await still(north, south)
    assert [line[:3] for line in said] == ["250"] * 6 + ["450"] * 3
    assert north.followers("jim") == [here("jim")]


async def test_a_domains_owner_is_few_followers_under_whatever_names(
    pair: list[Fabric], monkeypatch: pytest.MonkeyPatch
) -> None:
    north, _ = pair

    async def believed(fabrics: object, content: bytes, domain: str) -> bytes:
        return content  # he has keys for all of them

    monkeypatch.setattr(door, "unseal", believed)
    monkeypatch.setattr(flood, "POSTS", 3)
    monkeypatch.setattr(flood, "POSTS_PER_SECOND", 0.0)
    mirrors = [f"leo=north.test@reflectors.x{n}.pen.test" for n in range(5)] + ["leo=north.test@reflectors.pan.test"]
    to = at("leo", "subscribe")  # a word that is not known is dropped: nobody is there to take an answer
    said = [await north.hears(EVE, to, letter(one, to, "subscribe", List_Mirror="v=9")) for one in mirrors]
    assert [line[:3] for line in said] == ["250"] * 3 + ["450"] * 2 + ["250"]


async def test_no_mirror_of_a_mirror_and_none_for_strangers(pair: list[Fabric]) -> None:
    north, south = pair
    await follows(south, "kim", "alice")
    await still(north, south)
    refused = await south.hears(EVE, here("kim", "subscribe"), letter(EVE, "x", "y"))
    assert refused.startswith("550 5.7.1") and at("kim", "subscribe") in refused
    bob = north.person("bob")
    assert (await bob.send(here("kim", "subscribe"), "please")).startswith("250")  # it goes as it is, and is refused
    await still(north, south)
    assert any("kim=north.test" in found.as_string() for found in await bob.letters())  # the notice
    assert not north.one("SELECT list FROM mirror")
    dan = south.person("dan")
    assert (await dan.send("x=host-1.north.test+subscribe@reflectors.south.test", "")).startswith("550 5.1.2")
    assert (await dan.send("x=south.test+subscribe@reflectors.south.test", "")).startswith("550 5.1.1")
    assert (await dan.send(here("kim"), "a post of mine")).startswith("550 5.7.1")


async def test_a_letter_that_is_refused_was_not_taken_by_half(pair: list[Fabric]) -> None:
    """It is for a mirror, and for a list where strangers do not post: the no is one to both."""
    north, south = pair
    await south.add("quin")
    await follows(south, "kim", "alice")
    await still(north, south)
    content = sealed(north, post("kim", 3, "By half"))
    said = await south.hears(EVE, [here("kim"), "quin@reflectors.south.test"], content)
    assert said.startswith("550 5.7.1"), said
    await still(north, south)
    assert not south.events("mirrored", "kim=north.test")
    assert (await south.hears(EVE, [here("kim")], content)).startswith("250")  # again, by itself
    await south.person("alice").got("By half")


async def test_what_is_sealed_is_for_one_list(pair: list[Fabric]) -> None:
    """The first one's limits and allowance are not the others'."""
    north, south = pair
    await follows(south, "leo", "alice")
    await follows(south, "ed", "alice")
    await still(north, south)
    content = sealed(north, post("leo", 3, "To two"))
    assert (await south.hears(EVE, [here("leo"), here("ed")], content)).startswith("550 5.5.3")
    await still(north, south)
    assert not south.events("mirrored", "leo=north.test")


async def test_who_wishes_for_too_much_at_once_is_told(pair: list[Fabric]) -> None:
    _, south = pair
    to = [f"w{number}@reflectors.north.test" for number in range(door.WISHES_MAX + 1)]
    content = letter("dan@south.test", to[0], "subscribe")
    said = await south.person("dan").submit(content, to)
    assert said.startswith("550 5.5.3"), said

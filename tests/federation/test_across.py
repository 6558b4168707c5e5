"""Following across fabrics, from the readers' and the writer's side."""

from __future__ import annotations

import pytest

from tests.federation.pair import Fabric, still, until

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def follows(south: Fabric, source: str, *names: str) -> None:
    """Let people follow, and wait until their fabric does."""
    for name in names:
        said = await south.person(name).send(f"{source}+subscribe@reflectors.north.test", "please")
        assert said.startswith("250"), said
    mirror = f"{source}=north.test"
    await until(lambda: south.mirror(mirror) == "following", lambda: f"{mirror}: {south.mirror(mirror)}")


async def test_one_copy_crosses_for_all(pair: list[Fabric]) -> None:
    north, south = pair
    await follows(south, "bob", "alice", "erin", "heidi")
    await still(north, south)
    assert north.followers("bob") == ["bob=north.test@reflectors.south.test"]
    said = await north.person("bob").send("bob@reflectors.north.test", "Fog")
    assert said.startswith("250")
    await still(north, south)
    (post,) = await south.person("alice").got("Fog")
    for name in ("erin", "heidi"):
        await south.person(name).got("Fog")
    assert "Fog" not in await south.person("dan").subjects()
    assert len(south.events("mirrored", "bob=north.test")) == 1
    assert str(post["From"]) == '"bob via north.test" <bob@reflectors.north.test>'
    assert str(post["Reply-To"]) == "bob@north.test"
    assert "<bob.reflectors.north.test>" in str(post["List-Id"])
    assert str(post["List-Unsubscribe"]) == "<mailto:bob=north.test+unsubscribe@reflectors.south.test>"
    assert "bob+owner@reflectors.north.test" in str(post["List-Owner"])
    assert post["List-Unsubscribe-Post"] is None and post["List-Mirror"] is None
    assert b"d=north.test" not in post.as_bytes() and b"+bounce." not in post.as_bytes()
    assert len(post.get_all("List-Unsubscribe")) == 1 and b"+leave." not in post.as_bytes()


async def test_a_footer_is_for_mailboxes_and_does_not_cross(pair: list[Fabric]) -> None:
    north, south = pair
    await follows(south, "bob", "alice")
    await still(north, south)
    footer = "bob+footer@reflectors.north.test"
    assert (await north.person("bob").send(footer, "my footer", "Leave: %unsubscribe%")).startswith("250")
    await still(north)
    assert (await north.person("bob").send("bob@reflectors.north.test", "Mist", "No words but these")).startswith("250")
    (post,) = await south.person("alice").got("Mist")
    assert post.get_content() == "No words but these\r\n" and post["Heliograph-Footer"] is None
    assert len(north.events("footer-set", "bob")) == 1


async def test_the_last_who_leaves_ends_it_and_the_next_who_comes_begins_again(pair: list[Fabric]) -> None:
    north, south = pair
    mirror = "carol=north.test"
    await follows(south, "carol", "alice", "erin")
    await still(north, south)
    await south.person("alice").send("carol+unsubscribe@reflectors.north.test", "")
    await until(lambda: south.one("SELECT 1 FROM mirror WHERE list = ? AND due > renew - 1", mirror))
    await still(north, south)
    assert len(north.followers("carol")) == 1
    await south.person("erin").send(f"{mirror}+unsubscribe@reflectors.south.test", "enough")
    await until(lambda: south.mirror(mirror) == "ended", lambda: south.mirror(mirror))
    assert north.followers("carol") == []
    await north.person("carol").send("carol@reflectors.north.test", "Nobody hears")
    await follows(south, "carol", "alice")
    await still(north, south)
    await north.person("carol").send("carol@reflectors.north.test", "Again")
    await south.person("alice").got("Again")
    assert "Nobody hears" not in await south.person("alice").subjects()
    assert "Again" not in await south.person("erin").subjects()


async def test_the_sources_own_address_will_do_and_letters_go_their_way(pair: list[Fabric]) -> None:
    north, south = pair
    alice = south.person("alice")
    assert (await alice.send("ed@north.test", "subscribe")).startswith("250")
    await until(lambda: south.mirror("ed=north.test") == "following")
    assert (await alice.send(["ed@north.test", "erin@south.test"], "subscribe to what?")).startswith("250")
    await north.person("ed").got("subscribe to what?")
    await south.person("erin").got("subscribe to what?")
    assert "subscribe" not in await north.person("ed").subjects()
    await north.person("ed").send("alice@south.test", "Re: subscribe to what?")
    await alice.got("Re: subscribe to what?")
    assert (await alice.send("ed+owner@reflectors.north.test", "to the owner")).startswith("250")
    await north.person("ed").got("to the owner")


async def test_a_source_that_is_not_there_is_told_to_who_asked(pair: list[Fabric]) -> None:
    _, south = pair
    assert (await south.person("alice").send("bbo+subscribe@reflectors.north.test", "")).startswith("250")
    (told,) = await south.person("alice").got("No posts of bbo@north.test for now")
    assert "no such source" in told.get_content().lower()

"""Stories: people elsewhere who are heard because their domain sealed what they wrote."""

from __future__ import annotations

import re

import pytest

from tests.fabric.town import OUTSIDE, Town, from_outside, read, until
from tests.proof.seals import sealed, written

pytestmark = pytest.mark.asyncio(loop_scope="package")

LIST = "bob@reflectors.fabric.test"
BY = {1: "host-1", 2: "host-2", 3: "host-3"}


async def bring(town: Town, sender: str, to: str, content: bytes, host: int = 3) -> str:
    return await from_outside(town.address(host), town.config.ports.smtp, sender, [to], content)


def got(town: Town, person: str) -> list[str]:
    """The subjects of what a person elsewhere has got."""
    return [str(read(content)["Subject"]) for _, to, content in town.abroad.mail if person in to]


async def comes(town: Town, person: str, subject: str) -> bytes:
    def look() -> list[bytes]:
        return [c for _, to, c in town.abroad.mail if person in to and str(read(c)["Subject"]).startswith(subject)]

    return (await until(look, lambda: f"{person} has {got(town, person)}"))[-1]


@pytest.mark.parametrize("host", [3, 1])  # the source's own, and another
async def test_who_is_proven_follows_at_once(town: Town, host: int) -> None:
    who, to = f"carol{host}@{OUTSIDE}", "bob+subscribe@reflectors.fabric.test"
    assert (await bring(town, who, to, sealed(written(who, to)), host)).startswith("250")
    await comes(town, who, "You follow bob")
    leave = "bob+unsubscribe@reflectors.fabric.test"
    assert (await bring(town, who, leave, sealed(written(who, leave)), host)).startswith("250")
    await comes(town, who, "You no longer follow bob")
    await town.still()
    assert got(town, who) == ["You follow bob", "You no longer follow bob"]


async def test_the_same_seal_is_taken_once(town: Town) -> None:
    who, to = f"dora@{OUTSIDE}", "bob+subscribe@reflectors.fabric.test"
    word = sealed(written(who, to))
    await bring(town, who, to, word)
    await comes(town, who, "You follow bob")
    leave = "bob+unsubscribe@reflectors.fabric.test"
    await bring(town, who, leave, sealed(written(who, leave)))
    await comes(town, who, "You no longer")
    assert (await bring(town, f"mallory@{OUTSIDE}", to, b"X-New: 1\r\n" + word, host=1)).startswith("250")
    await town.still()
    assert got(town, who) == ["You follow bob", "You no longer follow bob"]


async def test_who_is_not_proven_is_asked(town: Town) -> None:
    who, to = f"finn@{OUTSIDE}", "bob+subscribe@reflectors.fabric.test"
    await bring(town, who, to, sealed(written(who, to)).replace(b"hello", b"hullo"))
    await comes(town, who, "Please confirm")


async def let_in(town: Town, address: str, owner: str = "bob") -> None:
    """The owner names an address, and its mailbox confirms."""
    assert (await town.person(owner).send(f"{owner}+senders@reflectors.fabric.test", f"add {address}")).startswith(
        "250"
    )
    question = await comes(town, address, "Please confirm")
    token = str(read(question)["Reply-To"])
    assert re.match(rf"{owner}\+confirm\.", token)
    await bring(town, address, token, written(address, token, "Re: please confirm"))
    await comes(town, address, f"{address} posts to")


async def test_an_owner_posts_from_elsewhere(town: Town) -> None:
    home = f"bob.home@{OUTSIDE}"
    alice = town.person("alice")
    await alice.send("bob+subscribe@reflectors.fabric.test", "hello")
    await let_in(town, home)
    word = sealed(written(f"Bob at home <{home}>", LIST, "From the beach"))
    for host in (3, 1):  # the second is a repeat
        assert (await bring(town, home, LIST, b"X-New: %d\r\n" % host + word, host)).startswith("250")
    assert (await bring(town, home, LIST, sealed(written(home, LIST, "By another door")), 1)).startswith("250")
    await town.still()
    posts = [one for one in await alice.letters() if one["Heliograph-Post"]]
    assert [str(one["Subject"]) for one in posts] == ["From the beach", "By another door"]
    assert str(posts[0]["From"]) == "Bob at home <bob@fabric.test>" and home not in str(posts[0])
    assert not posts[0]["X-New"]

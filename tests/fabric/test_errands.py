"""Commands by mail, from any host to any other: what is asked for happens, and is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from heliograph.demo.outside import Site, web_site
from ingest.opml import read_opml
from reflector.tables import OPEN
from tests.fabric.town import DOMAIN, OUTSIDE, Town, from_outside, letter, read, until

FOLLOW = f"follow@{DOMAIN}"
SLOW = 30.0  # feeds are read by processes of their own, which take a second to start


@pytest.fixture
def site(town: Town) -> Iterator[Site]:
    with web_site(town.address(50)) as site:
        yield site


async def test_one_mail_follows_chooses_and_is_answered_line_by_line(town: Town, site: Site) -> None:
    heidi, bob = town.person("heidi", 1), town.person("bob", 3)
    text = f"follow bob folder=Bob only=rust only=light\n{site.url} without=second\nfollow nobody-at-all\n"
    await heidi.send(FOLLOW, "please", text)
    await until(
        lambda: sum(len(host.store.reader.all("SELECT 1 FROM post_log")) for host in town.hosts.values()), seconds=SLOW
    )
    await town.still()
    for subject in ("On Rust", "On trust", "Light", "On Rust"):
        await bob.send(f"bob@reflectors.{DOMAIN}", subject, f"{subject} it is")
    await town.still()
    assert [subject for _, subject in await heidi.posts("Bob")] == ["On Rust", "Light", "On Rust"]
    assert [subject for _, subject in await heidi.posts()] == ["First light"]
    subjects = await heidi.subjects()
    assert "What you asked for" in subjects and any(
        "There is no nobody-at-all" in found.as_string() for found in await heidi.letters()
    )

    await heidi.send(FOLLOW, "list", " ")
    await town.still()
    (told,) = [
        str(found.get_content()).replace("\r", "")
        for found in await heidi.letters()
        if found["Subject"] == "What you follow"
    ]
    assert "You follow 2 sources" in told and "in Bob\n      only rust, light" in told and "without second" in told

    await heidi.send(FOLLOW, "opml", " ")
    await town.still()
    (lists,) = [found for found in await heidi.letters() if found["Subject"] == "Your feeds, as a list"]
    (attached,) = lists.iter_attachments()
    assert [each.url for each in read_opml(attached.get_content().encode())] == [site.url]

    await heidi.send(FOLLOW, "", f"unfollow bob\nunfollow {site.url}")
    await town.still()
    site.titles.append("Third light")
    await bob.send(f"bob@reflectors.{DOMAIN}", "Light again")
    await heidi.send(FOLLOW, "list", " ")
    await town.still()
    assert len(await heidi.posts("Bob")) == 3 and len(await heidi.posts()) == 1
    assert "You follow nothing" in str((await heidi.letters())[-1].get_content())


async def test_a_stranger_follows_and_leaves_by_her_word(town: Town) -> None:
    carol, port = f"carol@{OUTSIDE}", town.config.ports.smtp

    async def write(to: str, text: str, at: int = 1) -> None:
        assert (await from_outside(town.address(at), port, carol, [to], letter(carol, to, "", text))).startswith("250")
        await town.still()

    for line, follows in (("follow bob", 1), ("unfollow bob", 0)):
        await write(FOLLOW, line, at=2)
        question = read(town.abroad.mail[-1][2])
        assert "Please confirm" in question["Subject"] and len(subscribers(town)) == 1 - follows
        await write(str(question["Reply-To"]), "yes", at=3)
        assert len(subscribers(town)) == follows


def subscribers(town: Town) -> list[object]:
    sql = f"SELECT address FROM subscriber WHERE source = 'bob' AND until_post = {OPEN}"
    return [row for host in town.hosts.values() for row in host.store.reader.all(sql)]

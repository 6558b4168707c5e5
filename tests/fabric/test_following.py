"""Follow, post and leave across hosts: every follower has every post of her intervals, once."""

from __future__ import annotations

from tests.fabric.town import HOMES, Town, letter

BOB = "bob@reflectors.fabric.test"


def at(word: str) -> str:
    return f"bob+{word}@reflectors.fabric.test"


async def test_posts_reach_followers_on_all_hosts_exactly_once(town: Town) -> None:
    assert {name: town.home(name) for name in HOMES} == HOMES
    bob = town.person("bob", at=1)  # his own host is host-3
    followers = [town.person("alice", 1), town.person("erin", 2), town.person("heidi", 3)]
    commands = ((at("subscribe"), ""), (BOB, "subscribe"), ("bob-request@reflectors.fabric.test", "subscribe"))
    for follower, (to, subject) in zip(followers, commands, strict=True):
        assert (await follower.send(to, subject)).startswith("250")
    await town.still()
    sent = [f"post {number}" for number in range(1, 6)]
    for subject in sent:
        assert (await bob.send(BOB, subject)).startswith("250")
    await town.still()
    for follower in followers:
        assert await follower.posts() == list(enumerate(sent, 1))


async def test_who_leaves_gets_no_more_and_who_comes_back_misses_what_was_between(town: Town) -> None:
    bob, heidi, alice = town.person("bob"), town.person("heidi"), town.person("alice")
    for word, subject in (("subscribe", "one"), ("unsubscribe", "two"), ("subscribe", "three")):
        for follower in (heidi, alice):  # on another host than the reflector, and on the same
            await follower.send(at(word), f"please {word}")
        await town.still()
        await bob.send(BOB, subject)
        await town.still()
    for follower in (heidi, alice):
        assert await follower.posts() == [(1, "one"), (3, "three")]


async def test_a_post_that_its_client_repeats_at_another_host_is_numbered_once(town: Town) -> None:
    heidi = town.person("heidi")
    await heidi.send(at("subscribe"), "")
    await town.still()
    content = letter("bob@fabric.test", BOB, "said once")
    for host in (1, 2, 3, 3):
        assert (await town.person("bob", host).submit(content, [BOB])).startswith("250")
    await town.still()
    await town.person("bob").send(BOB, "said later")
    await town.still()
    assert await heidi.posts() == [(1, "said once"), (2, "said later")]


async def test_a_post_by_somebody_else_comes_back_with_the_reason(town: Town) -> None:
    heidi, alice = town.person("heidi"), town.person("alice")
    await alice.send(at("subscribe"), "")
    await town.still()
    assert (await heidi.send(BOB, "I speak for bob")).startswith("250")  # only bob's host knows whose it is
    await town.still()
    (notice,) = [found for found in await heidi.letters() if found.get_content_type() == "multipart/report"]
    report = notice.as_string()
    assert "550 5.7.1 only bob may post to" in report and "bob@fabric.test" in report
    assert "I speak for bob" not in await alice.subjects()

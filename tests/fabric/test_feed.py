"""A feed that somebody wished for by mail: polled once for all, each item once to each."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from heliograph.demo.outside import Site, web_site
from tests.fabric.town import Town, until

FOLLOW = "follow@fabric.test"
SLOW = 30.0  # feeds are read by processes of their own, which take a second to start


@pytest.fixture
def site(town: Town) -> Iterator[Site]:
    with web_site(town.address(50)) as site:
        site.began = time.time()
        yield site


def logged(town: Town, host: str) -> int:
    row = town.hosts[host].store.reader.one("SELECT count(*) FROM post_log")
    assert row is not None
    return int(row[0])


async def test_two_followers_on_two_hosts_get_each_item_once_of_one_poll(town: Town, site: Site) -> None:
    heidi, erin = town.person("heidi", 1), town.person("erin", 3)
    assert (await heidi.send(FOLLOW, site.url, site.url)).startswith("250")
    await until(lambda: logged(town, "host-2") == 2, seconds=SLOW)
    assert (await erin.send(FOLLOW, site.url, site.url)).startswith("250")
    await until(lambda: logged(town, "host-1") == 2, seconds=SLOW)  # the newest items, at once
    site.titles.append("Third light")
    await until(lambda: logged(town, "host-1") == logged(town, "host-2") == 3, seconds=SLOW)
    await town.still()
    for follower in (heidi, erin):
        titles = [subject for _, subject in await follower.posts()]
        assert titles == ["First light", "Second light", "Third light"]
    feeds = [row for host in town.hosts.values() for row in host.store.reader.all("SELECT url FROM feed")]
    assert feeds == [(site.url,)]


async def test_what_is_no_feed_is_answered_by_mail_with_the_reason(town: Town, site: Site) -> None:
    heidi = town.person("heidi", 1)
    inside = f"http://{town.address(1)}:2443/"
    for url in (site.url.replace("feed.xml", "page"), inside):
        assert (await heidi.send(FOLLOW, url, url)).startswith("250")
    give_up = time.monotonic() + SLOW
    answers: list[str] = []
    while len(answers) < 2 and time.monotonic() < give_up:
        answers = [found.as_string() for found in await heidi.letters()]
    assert sum("network" in answer for answer in answers) == 1, answers
    assert sum("no feed" in answer for answer in answers) == 1, answers

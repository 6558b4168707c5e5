"""Stories of feeds that name a hub."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import replace
from urllib.parse import parse_qs

import pytest

from ingest.hub import HubDesk
from ingest.links import hub_and_topic, linked
from ingest.listing import HubLine
from ingest.push import is_signed
from ingest.why import hub_words

TOPIC = "http://blog.example/feed.xml"


class Hub:
    """A hub, as our callbacks see it, and what it was asked."""

    def __init__(self, host, site) -> None:
        self.host, self.site = host, site
        self.desk = HubDesk(host.store, host.poller.wake, lambda: host.now)

    @property
    def forms(self) -> list[dict[str, str]]:
        bodies = [asked.body.decode() for asked in self.site.asked if asked.path == "/hub"]
        return [{name: value[0] for name, value in parse_qs(body).items()} for body in bodies]

    @property
    def token(self) -> str:
        return self.forms[-1]["hub.callback"].rpartition("/")[2]

    async def grants(self, lease: str = "864000") -> bool:
        return await self.desk.verify(self.token, "subscribe", self.forms[-1]["hub.topic"], lease)

    async def rings(self, secret: str = "") -> bool:
        self.host.now += 1
        key = (secret or self.forms[-1]["hub.secret"]).encode()
        return await self.desk.news(self.token, b"<feed/>", "sha256=" + hmac.new(key, b"<feed/>", "sha256").hexdigest())

    def due_in(self) -> float:
        row = self.host.store.reader.one("SELECT next_due FROM feed")
        return float(row[0]) - self.host.now


@pytest.fixture
async def hub(make_host, site, rss, item) -> Hub:
    host = await make_host(push_url="https://me.example/", poll_seconds_max=3_600, poll_seconds_min=900)
    site.pages["/hub"] = (202, {}, b"")
    links = f"<atom:link rel='hub' href='/hub'/><atom:link rel='self' href='{TOPIC}'/>"
    site.page = lambda *numbers: rss(links, *map(item, numbers)).replace(
        b"<rss ", b"<rss xmlns:atom='http://www.w3.org/2005/Atom' "
    )
    site.pages["/feed"] = site.page(1)
    host.ask(site.url("/feed"))
    await host.settled()
    hub = Hub(host, site)
    host.poller.wake()
    await host.until(lambda: hub.forms)
    return hub


def polls(site) -> int:
    return sum(asked.path == "/feed" for asked in site.asked)


async def test_a_hub_is_asked_and_its_ring_makes_the_feed_due(hub, site):
    form = hub.forms[0]
    assert form["hub.mode"] == "subscribe" and form["hub.topic"] == TOPIC and len(form["hub.secret"]) == 64
    assert form["hub.callback"] == f"https://me.example/websub/{hub.token}" and len(hub.token) == 36
    assert await hub.grants()
    site.pages["/feed"] = site.page(2, 1)
    posts = len(hub.host.posts)
    assert await hub.rings()
    await hub.host.until(lambda: len(hub.host.posts) == posts + 1)
    assert hub.due_in() >= 0.9 * 6 * 3_600  # a hub that was quicker than a poll is believed for a while


async def test_a_wrong_signature_changes_nothing_and_is_not_told(hub, site):
    assert await hub.grants()
    before = polls(site)
    assert await hub.rings(secret="another")
    assert not await hub.desk.news("0" * 36, b"", "")
    hub.host.poller.wake()
    assert hub.due_in() > 0 and polls(site) == before


async def test_a_hub_that_rings_all_day_is_heard_once_a_minute(hub, site):
    before = polls(site)
    await hub.rings()
    await hub.host.until(lambda: polls(site) == before + 1)
    for _ in range(5):
        await hub.rings()
    assert 0 < hub.due_in() <= 60


async def test_a_ring_during_a_poll_is_not_lost(hub, site):
    assert await hub.grants()
    site.gate, before = asyncio.Event(), polls(site)
    await hub.rings()
    await hub.host.until(lambda: polls(site) == before + 1)
    await hub.rings()  # what the poll is about to read may be older than this
    site.gate.set()
    await hub.host.until(lambda: 0 < hub.due_in() <= 60)


async def test_only_what_was_asked_for_is_granted(hub):
    assert not await hub.desk.verify(hub.token, "subscribe", "http://other.example/", "60")
    assert not await hub.desk.verify("0" * 36, "subscribe", TOPIC, "60")
    assert not await hub.desk.verify(hub.token, "unsubscribe", TOPIC, "60")
    assert not await hub.desk.verify(hub.token, "", TOPIC, "60")


async def test_a_lease_is_renewed_and_a_silent_hub_asked_again(hub):
    hub.host.now += 3_601
    hub.host.poller.wake()
    await hub.host.until(lambda: len(hub.forms) == 2)  # it never asked back
    assert await hub.grants("86400")
    hub.host.now += 0.9 * 86_400
    hub.host.poller.wake()
    await hub.host.until(lambda: len(hub.forms) == 3)
    assert hub.forms[0]["hub.callback"] == hub.forms[2]["hub.callback"]


async def test_a_hub_that_missed_news_is_not_believed_any_more(hub, site):
    assert await hub.grants()
    await hub.rings()
    await hub.host.until(lambda: hub.due_in() > 6 * 3_000)
    site.pages["/feed"] = site.page(3, 2, 1)
    await hub.host.poll_again(7 * 3_600)  # the poll finds them first
    assert hub.host.store.reader.one("SELECT proven FROM push") == (0,)
    site.pages["/feed"] = site.page(4, 3, 2, 1)
    await hub.host.poll_again(86_400)
    assert hub.due_in() < 5 * 3_600


async def test_denied_and_gone(hub, site, rss, item):
    assert await hub.grants()
    assert await hub.desk.verify(hub.token, "denied", TOPIC, "")
    site.pages["/feed"] = rss(item(2), item(1))
    await hub.host.poll_again(86_400)
    assert not hub.host.store.reader.all("SELECT 1 FROM push")
    assert not await hub.rings()


async def test_no_hub_is_asked_where_none_could_reach_us(host, site, rss, item):
    site.pages["/feed"] = (200, {"Link": f'<{site.url("/hub")}>; rel="hub"'}, rss(item(1)))
    host.ask(site.url("/feed"))
    await host.settled()
    assert not host.store.reader.all("SELECT 1 FROM push")


def test_the_header_counts_before_the_document():
    said = linked(['<https://hub.example/>; rel="hub", </a,b>; type="x"; rel="self alternate"', "<x>; rel=hub"])
    assert said == ("https://hub.example/", "/a,b")
    assert hub_and_topic("http://a.example/f", said, ("http://h2.example/", "http://b.example/")) == (
        "https://hub.example/",
        "http://a.example/a,b",
    )
    assert hub_and_topic("http://a.example/f", ("", ""), ("/hub", "")) == ("http://a.example/hub", "http://a.example/f")
    assert hub_and_topic("http://a.example/f", ("gopher://x/", "")) == ("", "")
    assert hub_and_topic("http://a.example/f", ("", "http://a.example/f")) == ("", "")


@pytest.mark.parametrize("method", ["sha1", "sha256", "sha384", "sha512"])
def test_signatures(method):
    digest = hmac.new(b"k", b"body", method).hexdigest()
    assert is_signed(b"body", f"{method}={digest}", "k") and is_signed(
        b"body", f"{method.upper()}={digest.upper()}", "k"
    )
    assert not is_signed(b"body", f"{method}={digest[:-1]}", "k") and not is_signed(b"bodY", f"{method}={digest}", "k")
    assert not is_signed(b"body", digest, "k") and not is_signed(b"body", "", "k")
    assert not is_signed(b"body", "md5=" + hashlib.md5(b"body").hexdigest(), "k")
    assert not is_signed(b"body", f"{method}=é", "k")


def test_the_operator_is_told_what_a_hub_does() -> None:
    now = 1_700_000_000.0
    hub = HubLine("https://hub.example/", 0, now, 0.0, 0.0, False)
    assert "none is asked" in hub_words(None, now)
    assert "does not ring: not asked yet" in hub_words(hub, now)
    assert "asked 3 times, again at 2023-11-1" in hub_words(replace(hub, tries=3, next_due=now + 60), now)
    granted = replace(hub, lease_until=now + 86_400)
    assert "rings until 2023-11-1" in hub_words(granted, now) and "never rang" in hub_words(granted, now)
    rang = hub_words(replace(granted, told_at=now - 60, proven=True), now)
    assert "rang last at 2023-11-1" in rang and "quicker than polls" in rang
    assert "does not ring" in hub_words(granted, now + 90_000)

"""A feed moves for good to a site that another host polls: it goes there whole, and one of them polls it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from ingest import feeds
from mail.feed_control import TakeFeed, TookFeed
from mail.outcome import Refused
from tests.ingest.conftest import NAMES, Host, MakeHost, Site, item_xml, rss_xml

HERE, THERE = NAMES.bucket("127.0.0.1"), NAMES.bucket("127.0.0.2")
HOUR = 3_600.0


@dataclass
class Two:
    """Host-1 polls 127.0.0.1, host-2 polls 127.0.0.2."""

    one: Host
    other: Host
    old: Site
    new: Site

    def carry(self) -> list[object]:
        """Bring what the hosts have for each other's rooms; return the controls."""
        brought: list[object] = []
        for sender, taker, bucket in ((self.one, self.other, THERE), (self.other, self.one, HERE)):
            for letter in sender.letters:
                if letter.to == NAMES.follow(bucket):
                    brought += letter.controls
                    taker.receive(letter.content, sender="", signed_by=sender.room.host, bucket=bucket)
            gone, to = "DELETE FROM spooled WHERE recipient = ?", (NAMES.follow(bucket),)
            sender.store.write_now(lambda tx, gone=gone, to=to: tx.execute(gone, to).rowcount)  # type: ignore[misc]
        return brought

    async def redirected(self) -> None:
        """Follow a feed at its old place, then let it be redirected until that is believed."""
        self.old.pages["/feed"] = self.new.pages["/feed"] = rss_xml(item_xml(1))
        self.one.ask(f"{self.old.url('/feed')} edits=yes")
        await self.one.settled()
        where = f"http://127.0.0.2:{self.new.port}/feed"
        self.old.pages["/feed"] = (301, {"Location": where}, b"")
        for _ in range(3):
            await self.one.poll_again(13 * HOUR)
        self.other.now = self.one.now


@pytest.fixture
async def two(make_host: MakeHost, site: Site) -> AsyncIterator[Two]:
    new = Site()
    new._server = await asyncio.start_server(new._answer, "127.0.0.2", 0)
    new.port = new._server.sockets[0].getsockname()[1]
    hosts = [await make_host(name) for name in ("host-1", "host-2")]
    for host in hosts:
        owners = tuple("host-2" if bucket == THERE else "host-1" for bucket in range(NAMES.buckets))
        host.directory = type(host.directory)(NAMES, 1, host.directory.hosts, owners, owners)
    yield Two(hosts[0], hosts[1], site, new)
    await new.stop()


def one_feed(host: Host) -> feeds.Feed:
    (number,) = host.store.reader.all("SELECT id FROM feed")
    found = feeds.by_id(host.store.reader, *number)
    assert found
    return found


async def test_it_is_handed_on_whole_and_polled_by_one_host(two: Two) -> None:
    await two.redirected()
    before = one_feed(two.one)
    assert before.standing == "leaving" and len(two.one.posts) == 1
    asked = len(two.new.asked)
    two.one.poller.wake()
    offered, taken = [word for word in two.carry() if isinstance(word, TakeFeed | TookFeed)]
    assert offered == TakeFeed(before.source, f"http://127.0.0.2:{two.new.port}/feed", HERE)
    after = one_feed(two.other)
    assert (after.source, after.title, after.edits) == (before.source, before.title, before.edits)
    assert (after.domain, after.bucket, after.standing) == ("127.0.0.2", THERE, "")
    assert feeds.by_url(two.other.store.reader, two.old.url("/feed")) is not None  # the old address is understood there
    assert taken == TookFeed(before.source, True)
    assert two.one.store.reader.all("SELECT 1 FROM feed UNION ALL SELECT 1 FROM feed_seen") == []
    two.new.pages["/feed"] = rss_xml(item_xml(2), item_xml(1))
    two.other.poller.wake()
    await two.other.until(lambda: len(two.other.posts) == 1)  # the old item is known there
    assert "Post 2" in two.other.posts[0].headers.get("subject") and len(two.new.asked) > asked
    assert two.other.posts[0].to == NAMES.reflector_inside(before.source)


async def test_an_offer_is_made_again_and_taken_once(two: Two) -> None:
    await two.redirected()
    two.one.store.write_now(lambda tx: tx.execute("DELETE FROM spooled").rowcount)  # it was lost
    two.one.now += 25 * HOUR
    two.one.poller.wake()
    await two.one.until(lambda: any(isinstance(word, TakeFeed) for word in two.one.controls))
    offer = next(letter for letter in two.one.letters if letter.to == NAMES.follow(THERE))
    two.other.receive(offer.content, sender="", signed_by="host-1", bucket=THERE)
    two.other.receive(offer.content, sender="", signed_by="host-1", bucket=THERE)
    assert len(two.other.store.reader.all("SELECT 1 FROM feed")) == 1
    assert [word for word in two.other.controls if isinstance(word, TookFeed)] == [
        TookFeed(one_feed(two.one).source, True)
    ] * 2
    two.carry()
    two.carry()
    assert two.one.store.reader.all("SELECT 1 FROM feed") == []


async def test_where_there_is_one_already_it_stays_and_is_polled_as_before(two: Two) -> None:
    two.new.pages["/feed"] = rss_xml(item_xml(1))
    two.other.ask(f"http://127.0.0.2:{two.new.port}/feed", who="bob")
    await two.other.settled()
    await two.redirected()
    source = one_feed(two.one).source
    assert TookFeed(source, False) in two.carry()
    assert one_feed(two.one).standing == "" and len(two.other.store.reader.all("SELECT 1 FROM feed")) == 1
    for _ in range(4):
        await two.one.poll_again(13 * HOUR)
    assert one_feed(two.one).standing == ""  # and is not offered again and again


async def test_a_stranger_gives_no_feed_and_takes_none(two: Two) -> None:
    await two.redirected()
    source = one_feed(two.one).source
    for word in (f"took-feed source={source} taken=yes", f"take-feed source=x url=http://127.0.0.1/ bucket={HERE}"):
        two.one.receive(f"Heliograph-Control: {word}\n\n", sender="", bucket=HERE)
    assert one_feed(two.one).standing == "leaving"


async def test_a_letter_that_cannot_be_read_takes_nothing(two: Two) -> None:
    for text in ("", "bm9uc2Vuc2U=", "e30=", "W10=", "\xff\n" * 100):
        for word in (f"take-feed source=x url=http://127.0.0.1/ bucket={HERE}", "gather-feeds account=alice"):
            head = f"Heliograph-Control: {word}\n\n{text}\n"
            assert isinstance(two.one.receive(head, sender="", signed_by="host-2", bucket=HERE).outcome, Refused)
    assert two.one.store.reader.all("SELECT 1 FROM feed") == []

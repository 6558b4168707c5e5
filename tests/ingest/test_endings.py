"""Feeds move, end, fall silent and come back; sites ask for rest; followers hear of it once."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest

from ingest import feeds
from ingest.listing import feed_list
from ingest.poll import poll
from ingest.schedule import not_skipped, skip_mask
from ingest.seen import Seen, pack, unpack
from ingest.tables import MIGRATIONS
from mail.feed_control import TellFollowers
from store import Store

DAY = 86_400


def subjects(host):
    return [post.headers.get("subject") for post in host.posts]


async def followed(host, site, path="/feed", *options):
    host.ask(" ".join((site.url(path), *options)))
    await host.settled()


def the_feed(host):
    (line,) = feed_list(host.store.reader)
    return line


async def test_a_permanent_redirect_is_believed_after_three_polls_over_a_day(host, site, rss, item):
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    site.pages["/feed"] = (301, {"Location": "/new"}, b"")
    site.pages["/new"] = (200, {"ETag": '"n"'}, rss(item(2), item(1)))
    for _ in range(6):
        await host.poll_again(10_000)
        assert the_feed(host).url == site.url("/feed")
    await host.poll_again(60_000)
    assert the_feed(host).url == site.url("/new") and subjects(host) == ["Post 1", "Post 2"]
    asked = len(site.asked)
    await host.poll_again(100_000)
    assert [each.path for each in site.asked[asked:]] == ["/new"]
    assert site.asked[-1].headers["if-none-match"] == '"n"'
    host.ask(site.url("/feed"), who="bob")  # the old address still means this feed
    await host.settled()
    assert len(feed_list(host.store.reader)) == 1


async def test_a_feed_that_moved_for_good_goes_with_the_bucket_of_its_new_domain(host, site, rss, item):
    """Who asks for it there is sent to the owner of that bucket, who would make a second source of it."""
    server = await asyncio.start_server(site._answer, "127.0.0.2", site.port)
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    there = site.url("/new", "127.0.0.2")
    site.pages |= {"/feed": (301, {"Location": there}, b""), "/new": rss(item(2), item(1))}
    for _ in range(4):
        await host.poll_again(40_000)
    assert (the_feed(host).url, the_feed(host).bucket) == (there, host.room.bucket_of(there))
    assert host.room.bucket_of(there) != host.room.bucket_of(site.url("/feed"))
    server.close()


async def test_two_hits_over_many_days_are_not_enough(host, site, rss, item):
    site.pages["/feed"] = site.pages["/new"] = rss(item(1))
    await followed(host, site)
    site.pages["/feed"] = (308, {"Location": "/new"}, b"")
    for _ in range(2):
        await host.poll_again(9 * DAY)
    assert the_feed(host).url == site.url("/feed")
    site.pages["/feed"] = rss(item(1))  # it was a mistake: counting begins again
    await host.poll_again(9 * DAY)
    site.pages["/feed"] = (308, {"Location": "/new"}, b"")
    await host.poll_again(9 * DAY)
    assert the_feed(host).url == site.url("/feed")


@pytest.mark.parametrize("code", [302, 303, 307])
async def test_a_passing_redirect_changes_nothing_and_a_changing_one_neither(host, site, rss, item, code):
    site.pages["/feed"] = site.pages["/a"] = site.pages["/b"] = rss(item(1))
    await followed(host, site)
    for turn in range(8):  # then a permanent one that cannot decide where
        site.pages["/feed"] = (code, {"Location": "/a"}, b"") if turn < 4 else (301, {"Location": "ab"[turn % 2]}, b"")
        await host.poll_again(60_000)
    assert the_feed(host).url == site.url("/feed")


async def test_validators_are_not_sent_where_they_are_not_from(host, site, rss, item):
    site.pages["/feed"] = (302, {"Location": "/a"}, b"")
    site.pages["/a"] = (200, {"ETag": '"1"'}, rss(item(1)))
    site.pages["/b"] = (200, {"ETag": '"1"'}, rss(item(2), item(1)))
    await followed(host, site)
    await host.poll_again()
    assert "if-none-match" not in site.asked[-2].headers and site.asked[-1].headers["if-none-match"] == '"1"'
    site.pages["/feed"] = (302, {"Location": "/b"}, b"")
    await host.poll_again()
    assert "if-none-match" not in site.asked[-1].headers and subjects(host) == ["Post 1", "Post 2"]


async def test_a_feed_that_is_gone_is_told_once_and_its_return_once(host, site, rss, item):
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    site.pages["/feed"] = (410, {}, b"")
    for _ in range(3):
        await host.poll_again(8 * DAY)
    assert subjects(host) == ["Post 1", "A Blog: this feed has ended"] and the_feed(host).standing == "ended"
    assert the_feed(host).next_due - host.now >= 6 * DAY
    assert "looked after once a week" in host.posts[-1].text
    site.pages["/feed"] = rss(item(2), item(1))
    for _ in range(2):
        await host.poll_again(8 * DAY)
    assert sorted(subjects(host)[2:]) == ["A Blog: this feed is back", "Post 2"] and the_feed(host).standing == ""


async def test_a_feed_that_cannot_be_read_for_a_month_is_told_once(host, site, rss, item):
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    site.pages["/feed"] = (404, {}, b"")
    for _ in range(3):
        await host.poll_again(9 * DAY)
    assert subjects(host) == ["Post 1"] and the_feed(host).errors == 3
    for _ in range(4):
        await host.poll_again(9 * DAY)
    assert subjects(host) == ["Post 1", "A Blog: this feed cannot be read any more"]
    notice = host.posts[-1]
    assert "404 Not Found" in notice.text and site.url("/feed") in notice.text
    site.pages["/feed"] = rss(item(1))
    await host.poll_again(9 * DAY)
    assert subjects(host)[2:] == ["A Blog: this feed is back"]


async def test_who_asks_for_rest_is_not_asked_for_new_feeds_either(host, site, rss, item):
    pages = [f"/{number}" for number in range(4)]
    site.pages |= dict.fromkeys(pages, (429, {"Retry-After": "50000"}, b""))
    host.ask(*(site.url(page) for page in pages))
    waiting = "SELECT 1 FROM request WHERE next_due <= ?"
    for _ in range(4):
        await host.until(lambda: not host.store.reader.one(waiting, (host.now,)) and not host.poller._busy)
        host.now += 3_601
        host.poller.wake()
    await host.settled()
    assert len(site.asked) == 1
    assert len(host.answers) == 5 and "asked to be left alone" in host.answers[-1].text


async def test_who_asks_for_rest_has_it_for_all_feeds_of_the_domain(host, site, rss, item):
    for name in ("/a", "/b"):
        site.pages[name] = rss(item(1), title=f"Blog {name}")
        await followed(host, site, name)
    site.pages["/a"] = site.pages["/b"] = (429, {"Retry-After": "5000"}, b"")
    host.now += 2_000
    before = len(site.asked)
    host.poller.wake()
    await host.until(lambda: sum(line.errors for line in feed_list(host.store.reader)) == 1)
    for _ in range(5):
        host.poller.wake()
        await host.until(lambda: not host.poller._busy)
    assert len(site.asked) == before + 1
    host.now += 5_001
    host.poller.wake()
    await host.until(lambda: len(site.asked) == before + 2)


async def test_the_hours_that_a_feed_asks_to_be_left_alone_in(host, site, rss, item):
    skip = "<skipHours>" + "".join(f"<hour>{hour}</hour>" for hour in range(24) if hour != 5) + "</skipHours>"
    site.pages["/feed"] = rss(skip, "<ttl>1</ttl>", item(1))
    await followed(host, site)
    assert the_feed(host).next_due % DAY == 5 * 3_600


def test_skipped_hours_and_days():
    monday = 4 * DAY  # 5 January 1970
    assert not_skipped(monday + 60, skip_mask([0, 1], [])) == monday + 7_200
    assert not_skipped(monday, skip_mask([], [0, 1])) == monday + 2 * DAY
    assert not_skipped(monday, skip_mask(range(24), range(7))) == monday  # nobody can mean that
    assert not_skipped(monday, skip_mask([24], [])) == monday + 3_600
    assert not_skipped(monday + 5, 0) == monday + 5


async def test_an_edited_item_is_a_reply_for_those_who_asked(host, site, rss, item):
    site.pages["/feed"] = rss(item(2), item(1))
    await followed(host, site, "/feed", "edits=yes")
    (post, _) = host.posts
    site.pages["/feed"] = rss(item(2), item(1, title="A better title", text="And better words."))
    await host.poll_again()
    await host.poll_again()
    edit = host.posts[-1]
    assert subjects(host)[2:] == ["Edited: A better title"]
    assert edit.headers.get("in-reply-to") == edit.headers.get("references") == post.headers.get("message-id")
    assert edit.headers.get("message-id") != post.headers.get("message-id") and "And better words." in edit.text
    created = [control for control in host.controls if type(control).__name__ == "CreateSource"]
    subscribed = [control for control in host.controls if type(control).__name__ == "Subscribe"]
    assert [each.source for each in created] == [each.source for each in subscribed]
    assert edit.headers.get("heliograph-authenticated") == created[1].source != created[0].source


async def test_a_template_that_changes_is_no_edit(host, site, rss, item):
    site.pages["/feed"] = rss(*(item(n) for n in range(20, 0, -1)))
    await followed(host, site, "/feed", "edits=yes")
    site.pages["/feed"] = rss(*(item(n, text=f"{n} and a counter: 17") for n in range(20, 0, -1)))
    await host.poll_again()
    assert len(host.posts) == 3


async def test_a_feed_that_nobody_follows_is_not_polled_until_somebody_does(host, site, rss, item):
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    told = f"Heliograph-Control: followers source={the_feed(host).source} followers=0\n\n"
    host.receive(told, sender="", signed_by="host-2", bucket=the_feed(host).bucket)  # nobody asked since it began
    assert the_feed(host).standing == ""
    await host.poll_again(3_700)
    question = TellFollowers(the_feed(host).source, the_feed(host).bucket)
    assert host.controls[-1] == question and host.letters[-1].signed
    host.receive(told, sender="", bucket=the_feed(host).bucket)  # anybody may say so
    assert the_feed(host).standing == ""
    host.receive(told, sender="", signed_by="host-2", bucket=the_feed(host).bucket)
    asked = len(site.asked)
    for _ in range(3):  # its list is asked, day after day, and not its site
        host.now += 1.1 * DAY
        host.poller.wake()
        await host.until(lambda: the_feed(host).next_due == host.now + DAY)
    assert len(site.asked) == asked and the_feed(host).standing == "asleep"
    assert host.controls.count(question) == 4
    site.pages["/feed"] = rss(item(2), item(1))
    await followed(host, site)
    await host.until(lambda: len(host.posts) == 2)
    assert the_feed(host).standing == ""
    host.receive(told.replace("=0", "=7"), sender="", signed_by="host-2", bucket=the_feed(host).bucket)
    assert (the_feed(host).standing, the_feed(host).followers) == ("", 7)


async def test_who_comes_while_a_sleeping_feed_is_seen_to_does_not_wait_for_a_day(host, site, rss, item):
    """Feeds that are due are found together; some time later each has its turn."""
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    feed = feeds.by_url(host.store.reader, site.url("/feed"))
    await host.poller.stop()
    host.store.write_now(lambda tx: feeds.followed_by(tx, feed, 0, host.now))
    found = feeds.by_source(host.store.reader, feed.source)
    assert found.standing == "asleep"
    host.store.write_now(lambda tx: feeds.followed_by(tx, found, -1, host.now))
    await poll(host.poller._tools, found)
    assert (the_feed(host).standing, the_feed(host).next_due) == ("", host.now)
    assert not any(isinstance(control, TellFollowers) for control in host.controls)


async def test_the_last_follower_may_leave_in_the_middle_of_a_poll(host, site, rss, item):
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    await host.poll_again(5_000)
    site.gate = asyncio.Event()
    host.now += 5_000
    host.poller.wake()
    await host.until(lambda: len(site.asked) == 3)
    told = f"Heliograph-Control: followers source={the_feed(host).source} followers=0\n\n"
    host.receive(told, sender="", signed_by="host-2", bucket=the_feed(host).bucket)
    site.gate.set()
    await host.until(lambda: the_feed(host).last_at == host.now)
    assert the_feed(host).standing == "asleep" and the_feed(host).next_due == host.now + DAY


async def test_the_site_is_told_how_many_read(host, site, rss, item):
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    feed = feeds.by_url(host.store.reader, site.url("/feed"))
    host.store.write_now(lambda tx: feeds.followed_by(tx, feed, 12, host.now))
    await host.poll_again()
    assert site.asked[-1].headers["user-agent"].endswith("; 12 subscribers)")


def test_what_was_seen_is_packed_and_unpacked():
    seen = [Seen(-5, -5, None, 7, 19_000), Seen(2**47 - 1, None, 3, -(2**47), 19_001, 9), Seen(1, 2, 3, 4, 5, 6)]
    assert unpack(pack(seen)) == seen and unpack(pack([])) == []
    assert unpack(b"[[1,2,null,4,5]]") == [Seen(1, 2, None, 4, 5)]
    forty = [Seen(n, n, n + 100, n + 200, 19_000, n + 300) for n in range(40)]
    assert len(pack(forty)) < 1_100


def test_what_was_seen_before_it_was_packed_is_still_known(tmp_path):
    columns = "(url, domain, bucket, source, title, created_at, next_due)"
    with closing(Store(tmp_path / "host.db", [MIGRATIONS[0]])) as old:
        feed = f"INSERT INTO feed {columns} VALUES ('http://a.b/', 'a.b', 1, 'a', 'A', 0, 0)"
        old.write_now(lambda tx: tx.execute(feed))
        rows = [(1, -7, 1, 2, 3, 19_000), (1, 8, None, None, 4, 19_001)]
        old.write_now(lambda tx: tx.executemany("INSERT INTO seen_item VALUES (?, ?, ?, ?, ?, ?)", rows))
    with closing(Store(tmp_path / "host.db", MIGRATIONS)) as new:
        before = feeds.seen_of(new.reader, 1)
        assert before == [Seen(-7, -7, 2, 3, 19_000), Seen(8, None, None, 4, 19_001)]
        new.write_now(lambda tx: feeds.remember(tx, 1, [Seen(9, 9, None, 5, 19_002)], before))
        assert sorted(each.item for each in feeds.seen_of(new.reader, 1)) == [-7, 8, 9]
        assert feeds.by_url(new.reader, "http://a.b/").followers == -1

"""Polls: polite, conditional, and exactly once whatever breaks in between."""

from __future__ import annotations

import asyncio
import logging

import pytest

from ingest import carrying, feeds
from ingest.listing import feed_list, feed_suspend
from ingest.settle import write_elsewhere
from mail.control import CreateSource
from store import StoreFull


def subjects(host):
    return [post.headers.get("subject") for post in host.posts]


class Fails:
    """Breaks a transaction off at one of its mails, once."""

    count = 0

    def at(self, step: int) -> None:
        self.count = step + 1

    def __call__(self, outgoing: object) -> None:
        if self.count:
            self.count -= 1
            if not self.count:
                raise RuntimeError("the power went")


async def followed(host, site, path="/feed", who="alice"):
    host.ask(site.url(path), who=who)
    await host.settled()


async def test_both_validators_go_back_and_304_is_enough(host, site, rss, item):
    document = rss(item(1))
    headers = {"ETag": '"v1"', "Last-Modified": "Sun, 01 Oct 2023 00:00:00 GMT"}

    def page(asked):
        return (304, {}, b"") if asked.headers.get("if-none-match") == '"v1"' else (200, headers, document)

    site.pages["/feed"] = page
    await followed(host, site)
    await host.poll_again()
    assert site.asked[-1].headers["if-none-match"] == '"v1"'
    assert site.asked[-1].headers["if-modified-since"] == "Sun, 01 Oct 2023 00:00:00 GMT"
    assert feed_list(host.store.reader)[0].last_answer == "304, not modified"
    await host.poll_again()
    assert site.asked[-1].headers["if-none-match"] == '"v1"'
    assert subjects(host) == ["Post 1"]


async def test_the_same_document_is_not_read_again(host, site, rss, item):
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    await host.poll_again()
    assert feed_list(host.store.reader)[0].last_answer == "200, the same document"


async def test_the_same_document_under_another_validator_is_asked_for_by_that(host, site, rss, item):
    site.pages["/feed"] = (200, {"ETag": '"v1"'}, rss(item(1)))
    await followed(host, site)
    site.pages["/feed"] = (200, {"ETag": '"v2"'}, rss(item(1)))
    await host.poll_again()
    await host.poll_again()
    assert [asked.headers.get("if-none-match") for asked in site.asked] == [None, '"v1"', '"v2"']


async def test_an_edited_item_is_silent(host, site, rss, item):
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    site.pages["/feed"] = rss(item(1, title="Another title", text="Another text"))
    await host.poll_again()
    assert subjects(host) == ["Post 1"] and feed_list(host.store.reader)[0].last_answer == "200, nothing new"


async def test_errors_wait_longer_and_longer_and_end_with_the_first_success(host, site, rss, item):
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    site.pages["/feed"] = (500, {}, b"")
    waits = []
    for _ in range(4):
        await host.poll_again()
        (line,) = feed_list(host.store.reader)
        waits.append(line.next_due - host.now)
        host.now = line.next_due - 2_000
    assert waits == sorted(waits) and waits[-1] > 1_000 and feed_list(host.store.reader)[0].errors == 4
    site.pages["/feed"] = rss(item(2), item(1))
    host.now += 10_000
    await host.poll_again()
    assert feed_list(host.store.reader)[0].errors == 0 and subjects(host) == ["Post 1", "Post 2"]


async def test_retry_after_is_heeded(host, site, rss, item):
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    site.pages["/feed"] = (429, {"Retry-After": "50000"}, b"")
    await host.poll_again()
    assert feed_list(host.store.reader)[0].next_due == host.now + 50_000


async def test_max_age_is_a_floor(host, site, rss, item):
    site.pages["/feed"] = (200, {"Cache-Control": "max-age=700"}, rss(item(1), item(2)))
    await followed(host, site)
    (line,) = feed_list(host.store.reader)
    assert 630 <= line.next_due - host.now <= 1_100


async def test_what_is_no_feed_any_more_is_an_error_and_no_post(host, site, rss, item):
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    site.pages["/feed"] = b"<html><body>Under construction</body></html>"
    await host.poll_again()
    assert feed_list(host.store.reader)[0].errors == 1
    site.pages["/feed"] = rss(item(1))
    await host.poll_again(20_000)
    assert subjects(host) == ["Post 1"]


async def test_a_failure_at_any_step_loses_nothing_and_doubles_nothing(host, site, rss, item, caplog):
    """The transaction of a poll with three new items is broken off at each of its steps in turn."""
    caplog.set_level(logging.CRITICAL)
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    host.fault = fails = Fails()
    for step in range(3):
        site.pages["/feed"] = rss(*(item(n) for n in range(4 + 3 * step, 0, -1)))
        before = len(host.posts)
        fails.at(step)
        await host.poll_again(20_000)
        assert len(host.posts) == before and feed_list(host.store.reader)[0].errors == 1
        await host.poll_again(20_000)
        assert len(host.posts) == before + 3
    assert subjects(host) == [f"Post {n}" for n in range(1, 11)]


async def test_a_failure_after_the_posts_were_spooled_undoes_them(host, site, rss, item, caplog, monkeypatch):
    caplog.set_level(logging.CRITICAL)
    site.pages["/feed"] = (200, {"ETag": '"1"'}, rss(item(1)))
    await followed(host, site)
    site.pages["/feed"] = (200, {"ETag": '"2"'}, rss(item(2), item(1)))
    with monkeypatch.context() as patched:
        for name in ("remember", "store_poll"):
            patched.setattr(f"ingest.feeds.{name}", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("now")))
            await host.poll_again(20_000)
            assert subjects(host) == ["Post 1"]
            patched.undo()
    await host.poll_again(20_000)
    assert site.asked[-1].headers["if-none-match"] == '"1"'  # the validators of what was not posted were not kept
    assert subjects(host) == ["Post 1", "Post 2"]


async def test_a_failure_while_a_source_is_made_leaves_the_request(host, site, rss, item, caplog):
    caplog.set_level(logging.CRITICAL)
    site.pages["/feed"] = rss(item(2), item(1))
    host.fault = fails = Fails()
    host.ask(site.url("/feed"))
    for step in range(4):  # the control mail, the answer, both posts
        fails.at(step)
        host.poller.wake()
        await host.until(lambda: fails.count == 0)
        await host.until(lambda: host.store.reader.one("SELECT 1 FROM request WHERE next_due > ?", (host.now,)))
        assert not host.letters and not feed_list(host.store.reader)
        host.store.write_now(lambda tx: tx.execute("UPDATE request SET tries = 0"))
        host.now += 5_000
    host.poller.wake()
    await host.settled()
    assert subjects(host) == ["Post 1", "Post 2"] and len(host.answers) == 1 and len(host.letters) == 4


async def test_a_host_that_is_stopped_in_the_middle_goes_on_after_its_start(make_host, site, rss, item):
    one = await make_host()
    site.pages["/feed"] = rss(item(1))
    await followed(one, site)
    site.pages["/feed"] = rss(item(2), item(1))
    site.gate = asyncio.Event()
    one.now += 5_000
    one.poller.wake()
    await one.until(lambda: len(site.asked) == 2)
    await one.poller.stop()
    assert subjects(one) == ["Post 1"]
    site.gate = None
    again = await make_host()
    again.now = one.now
    await again.poll_again(1)
    assert subjects(again) == ["Post 1", "Post 2"]


async def test_a_stop_is_heard_whenever_it_comes(host):
    """Also in the very moment in which the poller is woken."""
    for _ in range(50):
        await host.poller.start()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        host.poller.wake()
        await host.poller.stop()


async def test_a_full_disk_is_waited_for(host, site, rss, item, caplog, monkeypatch):
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr("ingest.poller.REST_SECONDS", 0.05)
    site.pages["/feed"] = rss(item(1))
    tried = []

    def full(outgoing):
        tried.append(outgoing)
        if len(tried) < 3:
            raise StoreFull("no space left on device")

    host.fault = full
    await followed(host, site)
    assert subjects(host) == ["Post 1"] and len(host.answers) == 1


async def test_one_request_at_a_time_to_a_domain(host, site, rss, item):
    for number in range(6):
        site.pages[f"/{number}"] = rss(item(number), title=f"Blog {number}")
    host.ask(*(site.url(f"/{number}") for number in range(6)))
    await host.settled()
    site.gate = asyncio.Event()
    host.now += 5_000
    for _ in range(20):
        host.poller.wake()
        await asyncio.sleep(0.01)
    site.gate.set()
    await host.poll_again()
    assert len(site.asked) >= 12 and site.most_at_once == 1


async def test_different_domains_are_asked_side_by_side_up_to_a_limit(make_host, site, rss, item):
    host = await make_host(fetches_max=2)
    site.pages["/feed"] = rss(item(1))
    servers = [await asyncio.start_server(site._answer, f"127.0.0.{n}", site.port) for n in range(2, 6)]
    site.gate = asyncio.Event()
    host.ask(*(site.url("/feed", f"127.0.0.{n}") for n in range(2, 6)))
    await host.until(lambda: len(site.asked) == 2)
    await asyncio.sleep(0.05)
    assert len(site.asked) == 2
    site.gate.set()
    await host.settled()
    assert site.most_at_once == 2 and len(feed_list(host.store.reader)) == 4
    for server in servers:
        server.close()


async def test_a_feed_of_a_bucket_that_moved_away_is_left_alone(make_host, site, rss, item):
    host = await make_host()
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    owner = ("host-2",) * 64
    object.__setattr__(host.directory, "reflectors", owner)
    host.now += 5_000
    host.poller.wake()
    await host.until(lambda: feed_list(host.store.reader)[0].next_due > host.now)
    assert len(site.asked) == 1
    await host.poller.stop()
    object.__setattr__(host.directory, "reflectors", ("host-1",) * 64)
    host.ask(site.url("/other"), who="bob")
    object.__setattr__(host.directory, "reflectors", owner)
    await host.poller.start()
    await host.settled()
    assert [type(control).__name__ for control in host.letters[-1].controls] == ["FollowFeed"] and len(site.asked) == 1


async def test_a_feed_that_goes_while_it_is_polled_is_posted_by_who_has_it(host, site, rss, item):
    """Its number may be another feed's by then."""
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    (line,) = feed_list(host.store.reader)
    feed = feeds.by_source(host.store.reader, line.source)
    site.pages["/feed"], site.gate = rss(item(1), item(2)), asyncio.Event()
    host.now += 2_000
    host.poller.wake()
    await host.until(lambda: len(site.asked) == 2)
    host.store.write_now(lambda tx: carrying.leave(tx, [f"feed/{feed.bucket}/{feed.source}"]))
    new = {"url": "https://new.example/", "domain": "new.example", "bucket": 1, "source": "new-one", "title": "New"}
    assert host.store.write_now(lambda tx: feeds.create(tx, **new, now=feeds.NEVER)) == feed.id
    site.gate.set()
    await host.until(lambda: not host.poller._busy)
    assert subjects(host) == ["Post 1"] and feeds.seen_of(host.store.reader, feed.id) == []
    assert feeds.by_source(host.store.reader, "new-one").title == "New"


async def test_a_feed_with_many_new_items_posts_them_over_several_polls(host, site, rss, item):
    site.pages["/feed"] = (200, {"ETag": '"1"'}, rss(item(1)))
    await followed(host, site)
    late = "Wed, 15 Nov 2023 {:02d}:{:02d}:00 GMT"
    items = [item(n, date=late.format(n // 60, n % 60)) for n in range(121, 1, -1)]
    host.now += 86_400 * 2
    site.pages["/feed"] = (200, {"ETag": '"2"'}, rss(*items, item(1)))
    for _ in range(4):
        await host.poll_again()
    assert subjects(host) == [f"Post {n}" for n in range(1, 122)]


@pytest.mark.parametrize("kind", ["guid", "all"])
async def test_a_feed_that_changes_every_guid_floods_nobody(host, site, rss, item, kind):
    site.pages["/feed"] = rss(*(item(n) for n in range(40, 0, -1)))
    await followed(host, site)
    for turn in range(3):
        more = {"link": "http://b.example/TT/NN", "text": "TT NN and so on " * 30} if kind == "all" else {}
        items = [
            item(n, guid=f"TT-{n}", **more).replace("NN", str(n)).replace("TT", str(turn)) for n in range(40, 0, -1)
        ]
        site.pages["/feed"] = rss(*items)
        await host.poll_again()
    assert len(host.posts) == (3 if kind == "guid" else 12)


@pytest.fixture
def crowded(monkeypatch):
    """One domain has more due than one look finds."""
    monkeypatch.setattr("ingest.feeds.DUE_WINDOW", 2)
    monkeypatch.setattr("ingest.requests.DUE_WINDOW", 2)


async def test_what_one_domain_has_due_hides_no_other(host, site, rss, item, crowded):
    server = await asyncio.start_server(site._answer, "127.0.0.2", site.port)
    paths = [f"/{number}" for number in range(4)]
    site.pages = {path: rss(item(number), title=f"Blog {path}") for number, path in enumerate(paths)}
    await host.poller.stop()
    host.ask(*map(site.url, paths))
    host.now += 1
    host.ask(site.url("/3", "127.0.0.2"))
    site.gate = asyncio.Event()
    await host.poller.start()
    await host.until(lambda: len(site.asked) == 2)  # the other one's request, beside the first of these
    site.gate.set()
    await host.settled()
    host.store.write_now(
        lambda tx: tx.execute("UPDATE feed SET next_due = CASE domain WHEN '127.0.0.2' THEN 2 ELSE 1 END")
    )
    site.gate = asyncio.Event()
    host.poller.wake()
    await host.until(lambda: len(site.asked) == 7)  # and its poll
    site.gate.set()
    await host.until(lambda: not host.poller._busy)
    server.close()


async def test_a_feed_that_was_found_due_and_is_suspended_is_not_asked_any_more(host, site, rss, item):
    for name in ("/a", "/b"):
        site.pages[name] = rss(item(1), title=f"Blog {name}")
        await followed(host, site, name)
    lines = feed_list(host.store.reader)
    host.now += 5_000
    found = feeds.due(host.store.reader, host.now, 10)
    host.poller._ready.extend([*found, *(feeds.by_source(host.store.reader, line.source) for line in lines)])
    host.store.write_now(lambda tx: [feed_suspend(tx, line.source) for line in lines])
    before = len(site.asked)
    host.poller.wake()
    await host.until(lambda: not host.poller._ready and not host.poller._busy)
    await write_elsewhere(host.poller._tools, found[0])  # a look that began before
    assert len(site.asked) == before and not feeds.due(host.store.reader, host.now + 1e9, 10)


async def test_a_fault_of_ours_is_that_feeds_error_only(host, site, rss, item, caplog, monkeypatch):
    caplog.set_level(logging.CRITICAL)
    site.pages["/bad"] = rss(item(1), title="Bad")
    site.pages["/good"] = rss(item(1), title="Good")
    await followed(host, site, "/bad")
    await followed(host, site, "/good")
    from ingest import found

    judge = found.judge

    def failing(listed, *a, **k):
        if any(each.k2 == bad for each in listed):
            raise ZeroDivisionError
        return judge(listed, *a, **k)

    from ingest.raw_item import link_key

    bad = link_key("http://blog.example/66")
    monkeypatch.setattr(found, "judge", failing)
    site.pages["/bad"] = rss(item(66), title="Bad")
    site.pages["/good"] = rss(item(2), item(1), title="Good")
    await host.poll_again()
    lines = {line.title: line for line in feed_list(host.store.reader)}
    assert lines["Bad"].errors == 1 and "an error of this host" in lines["Bad"].last_answer
    assert lines["Good"].errors == 0 and "Post 2" in subjects(host)


async def test_what_comes_due_while_the_poller_looks_does_not_wait_for_the_next_look(
    host, site, rss, item, monkeypatch
):
    site.pages["/feed"] = rss(item(1))
    await followed(host, site)
    soon, real = host.now + 0.05, feeds.due
    host.store.write_now(lambda tx: tx.execute("UPDATE feed SET next_due = ?", (soon,)))

    def slow(*arguments):
        found = real(*arguments)
        host.now = soon + 0.05  # time passes between two lines
        return found

    monkeypatch.setattr(feeds, "due", slow)
    host.poller.wake()
    async with asyncio.timeout(20):
        await host.until(lambda: host.store.reader.all("SELECT 1 FROM feed WHERE last_at >= ?", (soon,)))


async def test_items_that_share_a_guid_are_told_apart_also_when_their_octets_are_known(host, site, rss, item):
    """The first one was alone with it; once it is off the list, its guid must not be taken for the newest's."""
    site.pages["/feed"] = rss(item(1, guid="the blog"))
    await followed(host, site)
    for newest in (2, 3, 4):
        site.pages["/feed"] = rss(item(newest, guid="the blog"), item(newest - 1, guid="the blog"))
        await host.poll_again()
    assert subjects(host) == [f"Post {n}" for n in range(1, 5)]


async def test_a_feed_that_calls_itself_otherwise_renames_its_source(host, site, rss, item):
    site.pages["/feed"] = rss(item(1), title="Lamps")
    host.ask(f"{site.url('/feed')} edits=yes")
    await host.settled()
    site.pages["/feed"] = rss(item(1), title="Lights")
    await host.poll_again()
    assert [word.title for word in host.controls if isinstance(word, CreateSource)] == ["Lamps", "Lamps, edited"]
    site.pages["/feed"] = rss(item(2), item(1), title="Lights")
    await host.poll_again()
    site.pages["/feed"] = rss(item(3), item(2), item(1), title="Lights")
    await host.poll_again()
    made = [word for word in host.controls if isinstance(word, CreateSource)]
    assert [word.title for word in made] == ["Lamps", "Lamps, edited", "Lights", "Lights, edited"]
    assert (made[2].source, made[3].source) == (made[0].source, made[1].source)
    assert host.posts[-1].headers.get("from").startswith("Lights <lamps-")

"""Stories: somebody mails an address, and has its posts."""

from __future__ import annotations

import asyncio

from ingest.listing import feed_list, feed_poll, feed_show
from mail.control import CreateSource, FollowFeed, Subscribe
from mail.outcome import Deferred, Delivered, Refused


async def test_a_feed_becomes_a_source_with_its_newest_items(host, site, rss, item):
    site.pages["/feed"] = rss(*(item(n) for n in range(9, 0, -1)))
    receipt = host.ask(site.url("/feed"), "folder=News")
    assert receipt.outcome == Delivered()
    await host.settled()

    create, subscribe = host.controls
    assert isinstance(create, CreateSource) and create.title == "A Blog" and create.backlog == 3
    assert create.owner == create.source and create.source.startswith("a-blog-") and len(create.source) == 13
    assert subscribe == Subscribe(create.source, "alice@fabric.test", "News", True)
    assert [post.headers.get("subject") for post in host.posts] == ["Post 7", "Post 8", "Post 9"]
    inside = host.directory.names.reflector_inside(create.source)
    assert {(post.to, post.signed) for post in host.posts} == {(inside, True)}
    assert host.letters[0].to == inside.replace("@", "+control@") and host.letters[0].signed

    (answer,) = host.answers
    assert answer.to == "alice@fabric.test" and answer.sender == "" and not answer.signed
    assert answer.headers.get("in-reply-to") == "<q1@example>"
    assert f"{create.source}@reflectors.fabric.test" in answer.text and "the folder News" in answer.text


async def test_new_items_follow_and_no_item_comes_twice(host, site, rss, item):
    site.pages["/feed"] = rss(item(2), item(1))
    host.ask(site.url("/feed"))
    await host.settled()
    site.pages["/feed"] = rss(item(4), item(3), item(2), item(1))
    await host.poll_again()
    await host.poll_again()
    assert [post.headers.get("subject") for post in host.posts] == ["Post 1", "Post 2", "Post 3", "Post 4"]
    assert len({post.headers.get("message-id") for post in host.posts}) == 4


async def test_a_second_follower_causes_no_second_poll(host, site, rss, item):
    site.pages["/feed"] = rss(item(1))
    host.ask(site.url("/feed"))
    await host.settled()
    host.ask(site.url("/feed#top").replace("http://", "HTTP://"), who="bob")
    await host.settled()
    assert len(site.asked) == 1
    create, first, second = host.controls
    assert isinstance(create, CreateSource) and isinstance(first, Subscribe) and isinstance(second, Subscribe)
    assert second.subscriber == "bob@fabric.test"
    assert [answer.to for answer in host.answers] == ["alice@fabric.test", "bob@fabric.test"]


async def test_what_nobody_wants_any_more_becomes_no_source(host, site, rss, item):
    """Who asked thinks better of it while the site is asked; or her request has moved to another host."""
    site.pages["/feed"], site.gate = rss(item(1)), asyncio.Event()
    host.ask(site.url("/feed"))
    await host.until(lambda: site.asked)
    host.ask(f"unfollow {site.url('/feed')}")
    site.gate.set()
    await host.until(lambda: not host.poller._busy)
    assert host.posts == [] and feed_list(host.store.reader) == []


async def test_many_ask_at_once_and_one_fetch_answers_all(host, site, rss, item):
    site.pages["/feed"] = rss(item(1))
    await host.poller.stop()
    for number in range(40):
        host.ask(site.url("/feed"), who=f"user{number}")
    await host.poller.start()
    await host.settled()
    assert len(site.asked) == 1
    assert len([c for c in host.controls if isinstance(c, CreateSource)]) == 1
    assert len({c.subscriber for c in host.controls if isinstance(c, Subscribe)}) == 40
    assert all(len(letter.controls) <= 16 for letter in host.letters)


async def test_a_page_leads_to_its_feed(host, site, rss, item):
    site.pages["/feed"] = rss(item(1))
    site.pages["/"] = (
        b"<!DOCTYPE html><html><head><link rel=stylesheet href=/x.css><link rel='alternate' type='application/rss+xml'"
        b" href='/comments/feed'><link rel='alternate' type='application/rss+xml' href='feed'></head><body>Hi</body>"
    )
    host.ask(subject=site.url("/"))
    await host.settled()
    (line,) = feed_list(host.store.reader)
    assert line.url == site.url("/feed")


async def test_what_is_no_feed_is_answered_with_the_reason_once(host, site):
    site.pages["/"] = b"<!DOCTYPE html><html><body>No feed here</body></html>"
    site.pages["/picture"] = b"\x89PNG....."
    site.pages["/xml"] = b"<?xml version='1.0'?><feed-me/>"
    for path in ("/", "/picture", "/gone", "/xml"):
        host.ask(site.url(path))
        await host.settled()
    page, picture, gone, xml = host.answers
    assert "it is a page that names no feed" in page.text and site.url("/") in page.text
    assert "neither a feed nor a page" in picture.text
    assert "404 Not Found" in gone.text
    assert "cannot be followed" in xml.text
    assert feed_list(host.store.reader) == [] and not host.controls


async def test_inside_the_network_is_refused_with_the_reason(make_host, site, rss, item):
    host = await make_host(allow_networks=())
    site.pages["/feed"] = rss(item(1))
    for where in ("127.0.0.1", "localhost", "[::1]", "0x7f.1"):
        host.ask(site.url("/feed", where))
        await host.settled()
    assert len(host.answers) == 4 and site.asked == []
    assert all("inside the operator's network" in " ".join(answer.text.split()) for answer in host.answers)


async def test_a_site_that_is_away_is_tried_again_before_anybody_is_told(host, site, rss, item):
    site.pages["/feed"] = (503, {}, b"")
    host.ask(site.url("/feed"))
    for tries in range(1, 4):
        await host.until(lambda tries=tries: len(site.asked) == tries)
        await host.until(lambda: host.store.reader.one("SELECT 1 FROM request WHERE next_due > ?", (host.now,)))
        assert host.answers == []
        host.now += 1_000
        host.poller.wake()
    await host.settled()
    (answer,) = host.answers
    assert "503 Service Unavailable" in answer.text and len(site.asked) == 4


async def test_a_site_that_comes_back_in_time_is_followed(host, site, rss, item):
    site.pages["/feed"] = (503, {"Retry-After": "20"}, b"")
    host.ask(site.url("/feed"))
    await host.until(lambda: host.store.reader.one("SELECT 1 FROM request WHERE tries = 1"))
    site.pages["/feed"] = rss(item(1))
    host.now += 21
    host.poller.wake()
    await host.settled()
    assert "You follow A Blog" in host.answers[0].headers.get("subject")


async def test_several_addresses_in_one_mail_and_no_more_than_twenty(host, site, rss, item):
    for number in range(22):
        site.pages[f"/{number}"] = rss(item(1), title=f"Blog {number}")
    host.ask(*(f"{site.url(f'/{number}')}, please" for number in range(22)))
    await host.settled()
    assert len(feed_list(host.store.reader)) == 20
    told = [answer.text for answer in host.answers if "more addresses" in answer.text]
    assert len(told) == 1 and "2 more addresses" in told[0]


async def test_a_mail_without_an_address_is_answered_with_help(host):
    host.ask("Dear fabric, how are you?", subject="hello")
    (answer,) = host.answers
    assert "Write the address of a feed" in answer.text and "follow@fabric.test" in answer.text


async def test_what_cannot_be_an_address_of_a_feed_is_told_at_once(host):
    host.ask("https://user:secret@blog.example/feed", "ftp://blog.example/feed")
    (answer,) = host.answers
    assert "user name or a password" in answer.text and "only http and https" in answer.text
    assert host.requests() == 0


async def test_machines_are_never_answered(host):
    for field in ("Auto-Submitted: auto-replied", "List-Id: <x.y>", "Precedence: bulk", "Precedence: list"):
        receipt = host.receive(f"From: x@y.example\n{field}\nSubject: http://127.0.0.1/feed\n\n")
        assert isinstance(receipt.outcome, Delivered) and not receipt.outgoing
    assert not host.receive("From: x@y.example\n\nhelp\n", sender="").outgoing
    assert host.requests() == 0


async def test_a_stranger_is_answered_once_a_day(host):
    stranger = "From: eve@y.example\nSubject: hello\n\nwhat is this\n"
    for _ in range(5):
        host.receive(stranger, sender="eve@y.example")
    assert len(host.answers) == 1
    host.now += 86_400
    host.receive(stranger, sender="eve@y.example")
    assert len(host.answers) == 2


async def test_strangers_get_so_many_answers_a_day_all_together(host, monkeypatch):
    """From is anybody's to write: whom it names may never have heard of us."""
    monkeypatch.setattr("ingest.requests.UNCONFIRMED_PER_DAY_ALL_MAX", 3)
    for number in range(5):
        host.receive(f"From: eve{number}@y.example\nSubject: hello\n\nwhat is this\n", sender="eve@y.example")
    assert len(host.answers) == 3
    host.ask("what is this")
    assert len(host.answers) == 4


async def test_a_stranger_is_asked_by_the_reflector_and_not_often(host, site, rss, item):
    for number in range(9):
        site.pages[f"/{number}"] = rss(item(1), title=f"Blog {number}")
        host.receive(f"From: Eve <eve@y.example>\n\n{site.url(f'/{number}')}\n", sender="eve@y.example")
    await host.settled()
    asked = [control for control in host.controls if isinstance(control, Subscribe)]
    assert len(asked) == 5 and not any(control.confirmed for control in asked)
    assert {control.subscriber for control in asked} == {"eve@y.example"}
    assert host.answers == []  # the reflector's question is the answer


async def test_only_a_trusted_mail_is_somebodys_word(host, site, rss, item):
    forged = "Heliograph-Authenticated: alice\nFrom: alice@fabric.test\n\nhttp://127.0.0.1:9/feed\n"
    host.receive(forged, sender="eve@y.example")
    assert host.store.reader.all("SELECT subscriber, confirmed FROM request") == [("alice@fabric.test", 0)]
    control = "Heliograph-Control: follow-feed url=http://b.example/ subscriber=bob@fabric.test\nFrom: e@y.example\n\n"
    host.receive(control, sender="eve@y.example", bucket=3)
    assert len(host.store.reader.all("SELECT 1 FROM request")) == 1


async def test_the_owner_of_the_bucket_polls(make_host, site, rss, item):
    bucket = host_bucket = None
    site.pages["/feed"] = rss(item(1))
    one = await make_host("host-1", owners=("host-2",))
    two = await make_host("host-2", owners=("host-2",))
    one.ask(site.url("/feed"), "folder='My News'")
    (letter,) = one.letters
    host_bucket = one.directory.names.bucket("127.0.0.1")
    assert letter.signed and letter.to == f"follow@b{host_bucket}.reflectors.fabric.test"
    assert letter.controls == [FollowFeed(site.url("/feed"), "alice@fabric.test", "My News", True)]
    assert one.requests() == 0

    bucket = host_bucket
    assert isinstance(two.receive(letter.content, sender="", signed_by="host-1", bucket=bucket).outcome, Delivered)
    await two.settled()
    assert [type(control) for control in two.controls] == [CreateSource, Subscribe]
    assert two.answers[0].headers.get("in-reply-to") == "<q1@example>"
    assert isinstance(one.receive(letter.content, sender="", signed_by="host-1", bucket=bucket).outcome, Deferred)


async def test_a_control_that_is_none_of_ours_is_refused(host):
    for word in ("remove-source source=bob", "follow-feed url=ftp://x/ subscriber=a@b.example", "nonsense"):
        mail = f"Heliograph-Control: {word}\n\n"
        assert isinstance(host.receive(mail, sender="", signed_by="host-2", bucket=1).outcome, Refused)


async def test_a_feed_found_by_way_of_a_page_is_polled_by_its_own_host(make_host, site, rss, item):
    site.pages["/feed"] = rss(item(1))
    site.pages["/"] = (
        f"<html><head><link rel=alternate type=application/atom+xml href='{site.url('/feed', '127.0.0.2')}'>".encode()
    )
    names = (await make_host("probe")).directory.names
    owners = ["host-1"] * 64
    owners[names.bucket("127.0.0.2")] = "host-2"
    assert names.bucket("127.0.0.2") != names.bucket("127.0.0.1")
    host = await make_host("host-1", owners=tuple(owners))
    site.pages["/feed"] = rss(item(1))
    site_two = await _listening_on(site, "127.0.0.2")
    host.ask(site.url("/"))
    await host.settled()
    site_two.close()
    (letter,) = host.letters
    assert letter.to == names.follow(names.bucket("127.0.0.2")) and letter.headers.get("heliograph-direct") == "yes"
    assert feed_list(host.store.reader) == []


async def test_the_operator_sees_feeds_and_can_have_one_polled(host, site, rss, item):
    site.pages["/feed"] = (200, {"ETag": '"1"'}, rss(item(1)))
    host.ask(site.url("/feed"))
    await host.settled()
    (line,) = feed_list(host.store.reader)
    assert line.last_answer == "200, 1 new" and line.items == 1 and line.next_due > host.now
    assert feed_show(host.store.reader, line.source) == feed_show(host.store.reader, line.url) == line
    site.pages["/feed"] = (410, {}, b"")
    assert host.store.write_now(lambda tx: feed_poll(tx, line.source, host.now))
    host.poller.wake()
    await host.until(lambda: feed_list(host.store.reader)[0].errors == 1)
    assert "410 Gone" in feed_list(host.store.reader)[0].last_answer
    assert not host.store.write_now(lambda tx: feed_poll(tx, "nobody", host.now))


async def _listening_on(site, address):
    import asyncio

    return await asyncio.start_server(site._answer, address, site.port)

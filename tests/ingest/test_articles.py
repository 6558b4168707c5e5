"""Whole articles of feeds that tell only how theirs begin: fetched politely, taken apart safely, or left out."""

from __future__ import annotations

import pytest

from ingest import articles
from ingest.article_text import article_of, decoded
from ingest.resting import rest_seconds
from tests.ingest.conftest import Host, Reply, Site, item_xml, rss_xml

SENTENCE = "The lamp at the pass was lit at dusk, and whoever saw it lit another, as every year. "


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(articles, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(articles.with_articles, "__kwdefaults__", {"pause": 0.0})


def page(text: str = SENTENCE * 8, more: str = "") -> bytes:
    """A page as they are: a menu, an article, comments, a foot."""
    menu = "".join(f"<li><a href='/{n}'>Section {n}</a></li>" for n in range(20))
    paragraphs = f"<p>{text}</p>" * 4
    return (
        f"<!doctype html><html><head><title>On lamps</title></head><body><nav><ul>{menu}</ul></nav>"
        f"<article><h1>On lamps</h1>{paragraphs}<p>See <a href='/map'>the map</a>.</p>{more}</article>"
        f"<div class='comments'><p>First!</p></div><footer>All rights kept</footer></body></html>"
    ).encode()


def teasers(site: Site, *numbers: int) -> bytes:
    return rss_xml(*(item_xml(n, link=site.url(f"/a{n}"), text="The lamp at the pass was lit.") for n in numbers))


async def test_articles_come_whole_for_who_asks_and_as_they_are_where_a_page_fails(host: Host, site: Site) -> None:
    site.pages["/feed"] = teasers(site, 1, 2, 3)
    site.pages["/a1"] = page(more="<script>alert(1)</script><img src='x.png' onerror='alert(2)'>")
    site.pages["/a2"] = (500, {}, page())
    site.pages["/a3"] = b"%PDF-1.7 nothing to read"
    host.ask(f"{site.url('/feed')} fulltext=yes")
    await host.settled()
    whole, failed, other = host.posts
    assert (
        " ".join(whole.text.split()).count("lit at dusk") == 32
        and "Section 3" not in whole.text
        and "All rights" not in whole.text
    )
    html = str(whole.message.get_body(("html",)).get_content())  # type: ignore[union-attr]
    assert site.url("/map") in html and site.url("/x.png") in html and "alert" not in html
    assert "The lamp at the pass was lit." in failed.text and "The lamp at the pass was lit." in other.text
    site.pages["/feed"], site.pages["/a4"] = teasers(site, 1, 2, 3, 4), page()
    await host.poll_again()
    assert "lit at dusk" in host.posts[3].text
    assert [asked.headers["accept"].startswith("text/html") for asked in site.asked] == [
        asked.path != "/feed" for asked in site.asked
    ]
    assert [asked.path for asked in site.asked].count("/a1") == 1  # what is known is not fetched again


async def test_nobody_asked_so_no_page_is_fetched(host: Host, site: Site) -> None:
    site.pages["/feed"], site.pages["/a1"] = teasers(site, 1), page()
    host.ask(site.url("/feed"))
    await host.settled()
    assert {asked.path for asked in site.asked} == {"/feed"}
    host.receive(f"From: zoe@far.example\nSubject: {site.url('/feed')} fulltext=yes\n\n\n")
    await host.settled()
    assert host.store.reader.all("SELECT fulltext FROM feed") == [(0,)]  # not by the word of a stranger
    host.ask(f"{site.url('/feed')} fulltext=yes", who="bob")
    await host.settled()
    assert host.store.reader.all("SELECT fulltext FROM feed") == [(1,)]


async def test_a_few_pages_of_a_poll_and_none_of_who_rests_or_is_inside(host: Host, site: Site) -> None:
    site.pages["/feed"] = teasers(site, 0)
    host.ask(f"{site.url('/feed')} fulltext=yes")
    await host.settled()
    for n in range(1, 9):
        site.pages[f"/a{n}"] = page()
    site.pages["/feed"] = teasers(site, *range(7))
    await host.poll_again()
    assert sum("lit at dusk" in post.text for post in host.posts) == 5
    assert site.most_at_once == 1
    for link in ("http://10.0.0.1/", "file:///etc/passwd", "http://[::ffff:10.0.0.1]/", ""):
        site.pages["/feed"] = rss_xml(item_xml(20 + len(link), link=link, text="Inside."), item_xml(0))
        await host.poll_again()
    assert sum("Inside." in post.text for post in host.posts) == 4


async def test_a_site_that_asks_for_rest_is_asked_for_no_more_of_its_pages(host: Host, site: Site) -> None:
    site.pages["/feed"] = teasers(site, 1, 2, 3)
    site.pages |= {f"/a{n}": (429, {"Retry-After": "5000"}, b"") for n in range(1, 4)}
    host.ask(f"{site.url('/feed')} fulltext=yes")
    await host.settled()
    assert len(host.posts) == 3 and len(site.asked) == 2
    assert rest_seconds(host.store.reader, "127.0.0.1", host.now) == 1_000  # a page says nothing of its feed


HOSTILE: list[Reply] = [
    b"<!doctype html><html><body>" + b"<div>" * 300_000,
    b"<!doctype html><html><body>" + b"<" * 1_500_000,
    b"<!doctype html><html><body>" + b"<p>hello, world, it is</p>" * 200_000,
    b"<!doctype html><html><body><p " + b"a=b " * 100_000 + b">x</p>",
    b"<!doctype html><html><head><meta charset='punycode'>" + page()[:9] + b"\xff" * 100_000,
    b"<!doctype html><html><body><p>Please enable JavaScript.</p>",
    b"<!doctype html>",
]


@pytest.mark.parametrize("reply", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_hostile_page_costs_its_own_article(host: Host, site: Site, reply: Reply) -> None:
    site.pages["/feed"], site.pages["/a1"], site.pages["/a2"] = teasers(site, 1, 2), reply, page()
    host.ask(f"{site.url('/feed')} fulltext=yes")
    await host.settled()
    assert sorted("lit at dusk" in post.text for post in host.posts) == [False, True]


def test_a_page_is_decoded_as_it_says() -> None:
    assert decoded("Größe".encode("latin-1"), "text/html; charset=ISO-8859-1") == "Größe"
    assert decoded("<meta charset=koi8-r>\u041b".encode("koi8-r"), "text/html").endswith("\u041b")
    assert decoded(b"\xff\xfe", "text/html; charset=nonsense") == "\ufffd\ufffd"
    assert article_of(page(), "http://a.example/", "text/html") and not article_of(b"x" * 3_000_000, "", "")


async def test_a_page_that_says_less_than_the_feed_changes_nothing(host: Host, site: Site) -> None:
    words = "The feed says all of it, from the first lamp to the last. " * 100
    site.pages["/feed"] = rss_xml(item_xml(1, link=site.url("/a1"), text=words))
    site.pages["/a1"] = page()
    host.ask(f"{site.url('/feed')} fulltext=yes")
    await host.settled()
    assert "/a1" in {asked.path for asked in site.asked} and "from the first lamp" in host.posts[0].text

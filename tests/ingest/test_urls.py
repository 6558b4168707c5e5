"""One address, one spelling; and whose site it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.naming import source_name
from ingest.urls import BadUrl, canonical, joined, registrable_domain
from mail.address import is_entity


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("HTTP://Blog.Example:80", "http://blog.example/"),
        ("https://blog.example:443/a/../b/./c#top", "https://blog.example/b/c"),
        ("https://blog.example:8443/x?", "https://blog.example:8443/x"),
        ("https://blog.example./feed?b=2&a=1", "https://blog.example/feed?b=2&a=1"),
        ("http://blog.example/%7euser/ö", "http://blog.example/%7Euser/%C3%B6"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://127.1/", "http://127.0.0.1/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://0177.0.0.1/", "http://127.0.0.1/"),
        ("http://127.0.0.1./", "http://127.0.0.1/"),
        ("http://①②⑦.0.0.1/", "http://127.0.0.1/"),
        ("http://[::FFFF:127.0.0.1]/", "http://127.0.0.1/"),
        ("http://[0:0::1]:8080/", "http://[::1]:8080/"),
    ],
)
def test_each_spelling_has_one_meaning(said, meant):
    assert canonical(said).text == meant
    assert canonical(meant).text == meant


@pytest.mark.parametrize(
    "said",
    [
        "ftp://blog.example/",
        "file:///etc/passwd",
        "gopher://blog.example/",
        "http://",
        "http:///feed",
        "http://user@blog.example/",
        "http://user:secret@blog.example/",
        "http://blog.example:99999/",
        "http://blog.example:x/",
        "http://blog example/",
        "http://blog.example/\r\nHost: other",
        "http://blog.example\\@127.0.0.1/",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
        "http://1.2.3.4.5/",
        "http://-.example/",
        "http://a..example/",
        "http://blog.example/\ud800",
        "http://blog.example/#\ud800",
        "http://blog.example/" + "x" * 600,
        "blog.example/feed",
        "",
    ],
)
def test_what_cannot_be_fetched_is_refused(said):
    with pytest.raises(BadUrl):
        canonical(said)


@given(st.text(max_size=80))
def test_no_text_surprises(text):
    for said in (text, "http://" + text, "http://blog.example/" + text):
        try:
            url = canonical(said)
        except BadUrl:
            continue
        assert canonical(url.text) == url
        assert url.text.isascii() and "@" not in url.text.split("/")[2]
        assert registrable_domain(url.host)
        assert is_entity(source_name(text, url))


def test_a_reference_is_resolved_and_checked_again():
    assert joined("https://a.example/x/y", "../feed").text == "https://a.example/feed"
    assert joined("https://a.example/", "//b.example/").text == "https://b.example/"
    for reference in ("file:///etc/passwd", "http://[", "javascript:alert(1)"):
        with pytest.raises(BadUrl):
            joined("https://a.example/", reference)


def test_the_registrable_domain_is_what_somebody_registered():
    assert registrable_domain("a.b.blog.co.uk") == "blog.co.uk"
    assert registrable_domain("feeds.blog.example") == "blog.example"
    assert registrable_domain("alice.github.io") == "alice.github.io"
    assert registrable_domain("127.0.0.1") == "127.0.0.1"
    assert registrable_domain("2001:db8::1") == "2001:db8::1"
    assert registrable_domain("localhost") == "localhost"
    assert registrable_domain("co.uk") == "co.uk"


def test_a_source_is_named_for_people_and_never_twice():
    url = canonical("https://www.blog.example/feed")
    name = source_name("Žluťoučký Kůň: a blog about horses and more", url)
    assert name.startswith("zlutoucky-kun-a-blog-ab-") and len(name) <= 30 and is_entity(name)
    assert source_name("日本語", url).startswith("blog-example-")
    assert source_name("", canonical("http://[2001:db8::1]/")).startswith("2001-db8-1-")
    assert source_name("A", url, 1) != source_name("A", url) != source_name("A", canonical("https://x.example/"))

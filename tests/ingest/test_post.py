"""Every item of every feed is a message that a mail client can read, and no more than that."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.names import FabricNames
from ingest import worker
from ingest.header_text import line_of, phrase, unstructured
from ingest.items import Attachment, Item, Listing, item_of, reading_of
from ingest.post import Voice, post
from mail.headers import Headers, first_addr_spec, split_message

NOW = 1_700_000_000.0
FEEDS = Path(__file__).parent / "feeds"
ITEM = Item("A title", "Ada", "https://a.example/1", NOW - 60, "Words.", "<p>Words.</p>", ())


def mailed(item: Item, name: int = 7, title: str = "A Feed") -> bytes:
    return post(item, name, Voice("a-feed-abc234", title, FabricNames("fabric.test", 64)), NOW)


def read(content: bytes, url: str = "https://blog.example/feed"):
    told, items = worker.read(content, url, "")
    return reading_of(told), [item_of(worker._item(item)) for item in items]


def checked(content: bytes):
    """Parse a message back, strictly."""
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content)
    assert all(len(line) <= 998 for line in content.split(b"\r\n"))
    message = message_from_bytes(content, policy=policy.default)
    assert not message.defects
    text, markup = message.iter_parts()
    assert (text.get_content_type(), markup.get_content_type()) == ("text/plain", "text/html")
    assert not text.defects and not markup.defects
    for field in (
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Content-Type",
        "Heliograph-Authenticated",
    ):
        assert len(message.get_all(field)) == 1, field
    assert first_addr_spec(message["From"]) == "a-feed-abc234@reflectors.fabric.test"
    assert parsedate_to_datetime(message["Date"]).timestamp() <= NOW
    head, _, words = markup.get_content().partition("</head>")
    assert head.count("<style>") == 1 and words
    assert not re.search(
        r"<(script|style|iframe|form|input|object|svg|base|meta http)|\son\w+=|javascript:", words, re.I
    ), words
    assert text.get_content().strip()
    return message, text.get_content().replace("\r\n", "\n"), words


def test_an_item_is_a_letter():
    item = replace(ITEM, attachments=(Attachment("https://a.example/1.mp3", "audio/mpeg", 12_340_000),))
    message, text, markup = checked(mailed(item))
    assert message["From"] == "Ada via A Feed <a-feed-abc234@reflectors.fabric.test>"
    assert message["Subject"] == "A title" and message["Archived-At"] == "<https://a.example/1>"
    assert message["Date"] == "Tue, 14 Nov 2023 22:12:20 +0000"
    assert text == "Words.\n\nAudio (12.3 MB): https://a.example/1.mp3\nhttps://a.example/1\n"
    assert '<a href="https://a.example/1.mp3">' in markup and "<p>Words.</p>" in markup
    assert message["Heliograph-Authenticated"] == "a-feed-abc234"


def test_the_same_item_is_the_same_message_id_whatever_its_link():
    one, two = mailed(ITEM), mailed(replace(ITEM, link="https://b.example/", date=None, title="Other"))
    ids = [Headers.parse(split_message(each)[0]).get("message-id") for each in (one, two)]
    assert ids[0] == ids[1] == "<000000000007.a-feed-abc234@reflectors.fabric.test>"
    assert mailed(ITEM, -1) != mailed(ITEM, 1)
    assert mailed(ITEM) == mailed(ITEM)


def test_an_item_without_anything_is_a_letter_too():
    message, text, _ = checked(mailed(Item("", "", "", None, "", "", ()), title=""))
    assert message["Subject"] == "A post of a-feed-abc234" and text == "(nothing)\n"
    assert message["From"] == "a-feed-abc234 <a-feed-abc234@reflectors.fabric.test>"
    assert checked(mailed(replace(ITEM, title="", text="It begins like this.")))[0]["Subject"] == "It begins like this."


NAME = st.text(max_size=200) | st.text("abc", min_size=1, max_size=9)


@given(st.text(max_size=300), NAME, NAME, st.text(), st.floats(-1e12, 1e12) | st.none())
def test_no_text_breaks_out_of_its_place(title, author, feed, body, date):
    item = Item(title, author, "https://a.example/" + title, date, body, f"<p>{re.sub('[<>&]', '', body)}</p>", ())
    message, text, _ = checked(mailed(item, title=feed))
    assert not {"bcc", "x-injected"} & {name.lower() for name in message}
    if line_of(title, 300):
        assert " ".join(str(message["Subject"]).split()) == line_of(title, 300)
    names = [line_of(name, 120) for name in (author, feed)]
    if all(name.isascii() and name.isalnum() for name in names) and names[0] != names[1]:
        assert message["From"].addresses[0].display_name == " via ".join(names)
    assert body.split() == text.split()[: len(body.split())]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Ada Keller", "Ada Keller"),
        ("Keller, Ada", '"Keller, Ada"'),
        ('The "Blog" \\o/', '"The \\"Blog\\" \\\\o/"'),
        ("x@y.example", '"x@y.example"'),
        ("=?utf-8?q?x?=", "=?utf-8?B?PT91dGYtOD9xP3g/PQ==?="),
        ("Žofie", "=?utf-8?B?xb1vZmll?="),
    ],
)
def test_display_names(name, written):
    assert phrase(name) == written


def test_a_title_that_looks_encoded_stays_what_it_is():
    message, _, _ = checked(mailed(replace(ITEM, title="=?utf-8?q?=0d=0aBcc:_x=40y.example?=")))
    assert message["Subject"] == "=?utf-8?q?=0d=0aBcc:_x=40y.example?=" and "Bcc" not in message
    assert unstructured("plain") == "plain"


def test_lines_are_cut_at_whole_characters():
    assert line_of("ž" * 200, 101) == "ž" * 49 + "…"
    assert line_of(" a\r\n\tb\x00c\u202ed ", 100) == "a b c d"


def test_a_podcast():
    listing, (second, first) = read((FEEDS / "podcast.rss").read_bytes(), "https://lamps.example/feed.rss")
    assert isinstance(listing, Listing) and listing.title == "Lamps & Mirrors" and listing.floor_seconds == 43_200
    assert second.title == "Episode 2: Shutters & “sun”" and second.author == "Ada Keller"
    message, text, markup = checked(mailed(second, title=listing.title))
    assert str(message["From"]).startswith("Ada Keller via Lamps & Mirrors <")
    assert 'href="https://lamps.example/notes/2"' in markup and 'src="https://lamps.example/pics/shutter.jpg"' in markup
    assert "relative link [1]" in text and "\n[1] https://lamps.example/notes/2\n" in text and "* one" in text
    assert "alert" not in markup and "alert" not in text and "Short notes" not in text
    assert "Audio (24.0 MB): https://cdn.example/2.mp3" in text
    assert message["Date"] == "Tue, 10 Oct 2023 04:00:00 +0000"
    assert first.date is None and first.link == "https://lamps.example/1"


def test_atom_with_a_base_and_names_beyond_ascii():
    listing, (first, second) = read((FEEDS / "essays.atom").read_bytes(), "https://essays.example/feed.atom")
    assert listing.title == "Úvahy o světle"
    message, text, markup = checked(mailed(first, title=listing.title))
    assert str(message["From"]).startswith("Žofie Šťastná via Úvahy o světle <")
    assert str(message["Subject"]).startswith("První: světlo a stín, dlouhý název, který se do jedné")
    assert 'href="https://essays.example/about"' in markup and "Světlo, stín a" in text
    assert message["Date"] == "Sun, 01 Oct 2023 06:00:00 +0000"
    assert message["Archived-At"] == "<https://essays.example/2023/light>"
    assert "Plain words, 1 < 2, and no markup." in second.text and "1 &lt; 2" in second.html


def test_json_feed():
    listing, items = read((FEEDS / "minutes.json").read_bytes(), "https://minutes.example/feed.json")
    assert listing.title == "Minutes" and len(items) == 3
    assert items[0].author == "The Clerk" and items[0].attachments[0].octets == 123_456
    assert items[1].author == "Bo" and "<p>Two paragraphs &amp; an &lt;angle&gt;.</p>" in items[1].html
    assert items[2].title == "" and items[2].date is None
    for item in items:
        checked(mailed(item))


@pytest.mark.parametrize("name", sorted(path.name for path in FEEDS.iterdir()))
def test_our_feeds_are_letters(name):
    listing, items = read((FEEDS / name).read_bytes())
    assert isinstance(listing, Listing) and listing.title and items
    for item in items:
        checked(mailed(item, title=listing.title))


def test_what_a_publisher_might_try():
    listing, (first, second) = read((FEEDS / "hostile.rss").read_bytes())
    message, _, markup = checked(mailed(first, title=listing.title))
    assert "Bcc" not in message and "X-Injected" not in message and "victims" in str(message["From"])
    assert message["Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"  # 2100 is now
    assert "https://ok.example/" in markup and "enclosure" not in markup
    message, _, _ = checked(mailed(second))
    assert message["Subject"] == "desrever"


def test_a_text_without_a_tag_keeps_its_paragraphs():
    def said(text):
        content = f"<rss version='2.0'><channel><item><description>{text}</description></item></channel></rss>"
        return read(content.encode())[1][0]

    item = said("One.\n\nTwo & three.".replace("&", "&amp;"))
    assert item.text == "One.\n\nTwo & three." and "<p>One.</p>" in item.html
    assert said("A line\nthat goes on.").text == "A line that goes on."
    assert said("&lt;p>A\n\nb").text == "A b"


def test_utf_16_and_marks():
    document = (FEEDS / "essays.atom").read_text().replace('encoding="utf-8"', 'encoding="utf-16"')
    for octets in (document.encode("utf-16"), b"\xef\xbb\xbf\n" + (FEEDS / "podcast.rss").read_bytes()):
        listing, items = read(octets)
        assert isinstance(listing, Listing) and len(items) == 2


DATA = os.environ.get("HELIOGRAPH_DATA")


@pytest.mark.skipif(not DATA, reason="HELIOGRAPH_DATA names no folder with real feeds")
def test_real_feeds_are_letters():
    paths = sorted((Path(str(DATA)) / "feeds").iterdir())
    count = 0
    for path in paths:
        listing, items = read(path.read_bytes())
        assert isinstance(listing, Listing) and listing.title, path.name
        assert len(items) == len(listing.items)
        for item in items:
            checked(mailed(item, title=listing.title))
            count += 1
    assert len(paths) > 50 and count > 500

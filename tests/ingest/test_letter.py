"""What a reader sees: pictures that load, players as links, text with notes below, one style for light and dark."""

from __future__ import annotations

import pytest

from ingest.items import Attachment, Item
from ingest.letter import letter
from ingest.plain_text import flowed, text_of_html
from ingest.render import sanitised
from ingest.repair import repaired

BASE = "https://b.example/post/1"


def clean(markup):
    return sanitised(markup, BASE)


@pytest.mark.parametrize(
    ("markup", "source"),
    [
        ("<img src='a.png'>", "https://b.example/post/a.png"),
        ("<img src='data:image/gif;base64,R0' data-src='/a.png'>", "https://b.example/a.png"),
        ("<img data-lazy-src=//cdn.example/a.png>", "https://cdn.example/a.png"),
        ("<img src='/placeholder.svg' data-original='/a.png'>", "https://b.example/a.png"),
        ("<img src='' srcset='/s.png 300w, /m.png 1200w, /l.png 4000w'>", "https://b.example/m.png"),
        ("<IMG SRC='/a.png?x=1&amp;y=2' srcset='/l.png 2x'>", "https://b.example/a.png?x=1&amp;y=2"),
    ],
)
def test_pictures_load_without_a_script(markup, source):
    assert f'src="{source}"' in clean(markup)


@pytest.mark.parametrize(
    "pixel", ["<img src='/p.gif' width=1 height=1>", "<img width='1px' src=/p height='0'>", "<img>"]
)
def test_pixels_that_count_readers_are_left_out(pixel):
    assert clean(f"<p>a{pixel}b</p>") == "<p>ab</p>"


def test_pictures_of_unknown_size_stay_within_the_page():
    assert "max-width:100%" in clean("<img src=/a.png width=4000>") and 'width="4000"' in clean(
        "<img src=/a width=4000>"
    )


@pytest.mark.parametrize(
    ("markup", "address", "words"),
    [
        (
            "<iframe src='https://www.youtube.com/embed/abc-DEF_123?x=1'>",
            "https://www.youtube.com/watch?v=abc-DEF_123",
            "Video",
        ),
        ("<iframe src='//maps.example/1' title='A map'></iframe>", "https://maps.example/1", "Embedded: A map"),
        ("<video controls><source src='/a.mp4' type='video/mp4'></video>", "https://b.example/a.mp4", "Video"),
        ("<audio src='https://c.example/a.mp3'></audio>", "https://c.example/a.mp3", "Audio: c.example"),
    ],
)
def test_players_are_links(markup, address, words):
    assert f'href="{address}"' in clean(markup) and words in clean(markup)


def test_no_scheme_comes_in_by_a_repair():
    for bad in ("<iframe src='javascript:alert(1)'>", "<img data-src='javascript:alert(1)'>", "<iframe src='data:,x'>"):
        assert "javascript" not in clean(bad) and "data:" not in clean(bad), bad
    assert "<script" not in clean("<iframe src='https://x/' title='<script>alert(1)</script>'>")
    assert "onload" not in clean("<img src=/a alt='\" onload=\"x'>").replace("&quot; onload=&quot;", "")


def test_a_text_has_its_links_below():
    text = text_of_html(
        '<p>See <a href="https://a.example/">this</a> and <a href="https://a.example/">that</a>,</p>'
        '<p><a href="https://b.example/"><img src="x" alt="A cat"></a> or <a href="https://c.example/">https://c.example/</a></p>'
    )
    assert text.split("\n") == [
        "See this [1] and that [1],",
        "",
        "A cat [2] or https://c.example/",
        "",
        "[1] https://a.example/",
        "[2] https://b.example/",
    ]


def test_lines_flow_and_come_together_again():
    line = "word " * 60
    rows = flowed(line).split("\n")
    assert all(len(row) <= 73 for row in rows) and "".join(rows) == line.strip()
    assert flowed("From here") == " From here" and flowed("> not a quotation") == " > not a quotation"
    table = "a" * 40 + "     " + "b" * 40
    assert flowed(table) == table and flowed("x" * 200) == "x" * 200
    assert flowed("[1] https://a.example/" + "x" * 100) == "[1] https://a.example/" + "x" * 100


def test_a_long_point_of_a_list_comes_together_without_holes():
    for indent in ("  ", "      "):
        point = f"{indent}* " + "word " * 30
        rows = flowed(point.rstrip()).split("\n")
        assert len(rows) == 3 and "".join(rows)[1:] == point.rstrip()  # RFC 3676 4.4: one space of stuffing
    assert flowed("w" * 71 + " > no quotation").split("\n") == ["w" * 71 + " ", " > no quotation"]


def test_a_table_that_holds_a_page_together_is_no_table():
    words = "Many words stand in the second row, and it is as wide as both columns. " * 3
    page = f"<table><tr><td><img src='a'></td><td><p>Price: 5</p></td></tr><tr><td colspan=2>{words}</td></tr></table>"
    assert text_of_html(page) == f"Price: 5\n\n{words.strip()}"
    small = "<table><tr><td>one</td><td>two</td></tr><tr><td>three</td><td>four</td></tr></table>"
    assert text_of_html(small) == "one    two\nthree  four"


def test_boxes_do_not_indent():
    assert text_of_html("<div><div><div>A word.<p>Another.</p></div></div></div>") == "A word.\n\nAnother."


def test_a_page_for_light_and_dark():
    item = Item("T & t", "Ada", BASE, None, "Words.", "<p>Words.</p>", (), "de-AT")
    _, page = letter(item, "T & t", "A Feed", BASE, "de-AT")
    assert page.startswith('<!DOCTYPE html>\n<html lang="de-AT">') and 'content="light dark"' in page
    assert f'<a href="{BASE}">T &amp; t</a>' in page and "Ada · A Feed" in page and ">b.example/post/1</a>" in page
    assert "color: #" not in page and "background" not in page


def test_a_picture_that_comes_beside_is_shown_if_there_is_no_other():
    picture = Attachment("https://a.example/1.jpg", "image/jpeg", 0)
    sound = Attachment("https://a.example/1.mp3", "audio/mpeg", 2_000_000)
    bare = Item("T", "", BASE, None, "Words.", "<p>Words.</p>", (picture, sound))
    text, page = letter(bare, "T", "A Feed", BASE, "")
    assert '<img src="https://a.example/1.jpg"' in page and ">▶ Audio (2.0 MB)</a>" in page
    assert "Image: https://a.example/1.jpg" in text and "Audio (2.0 MB): https://a.example/1.mp3" in text
    full = Item("T", "", BASE, None, "Words.", '<img src="https://a.example/2.jpg">', (picture,))
    assert "1.jpg" not in letter(full, "T", "A Feed", BASE, "")[1]


def test_what_needs_no_repair_is_left_as_it_is():
    assert repaired("<p>1 < 2 and <b>so on</b></p>") == "<p>1 < 2 and <b>so on</b></p>"


def test_a_quotation_is_seen_as_one():
    said = "<p>He said:</p><blockquote><p>One.</p><blockquote>Two.</blockquote></blockquote><p>&gt; I said.</p>"
    rows = flowed(text_of_html(said)).split("\n")
    assert [row for row in rows if row] == ["He said:", "> One.", ">> Two.", " > I said."]
    long = flowed(text_of_html("<blockquote>" + "word " * 30 + "</blockquote>")).split("\n")
    assert len(long) == 3 and all(row.startswith("> word") for row in long) and long[0].endswith("word ")
    assert flowed(text_of_html("<p>\ue000no quotation</p>")) == "no quotation"


def test_code_keeps_its_lines():
    code = "def f(x):\n  y = x\n    return y\n\nf(1)"
    marked = code.replace("return", "<span class='k'>return</span>")
    for markup in (
        f"<pre>{code}</pre>",
        f"<pre><code>{code}\n</code></pre>",
        f"<pre><span></span><code>{marked}</code></pre>",
    ):
        assert text_of_html(sanitised(f"a{markup}b", BASE)) == f"a\n\n{code}\n\nb"
    assert text_of_html("<p>the <code>two\nwords</code></p>") == "the two words"


def test_a_term_does_not_stick_to_its_meaning():
    assert text_of_html("<dl><dt>Term</dt><dd>Meaning</dd></dl>") == "Term\n    Meaning"

"""Items whose octets are known are not parsed; whatever cannot be split cleanly is parsed whole."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.items import ITEMS_MAX
from ingest.parse import parse_xml
from ingest.prescan import split
from ingest.raw_item import Passed, RawItem

FEEDS = Path(__file__).parent / "feeds"
URL = "http://b.example/feed"


def parsed(content, known=()):
    return parse_xml(content, URL, "", known).items


def test_what_is_known_is_passed_over(rss, item):
    content = rss(item(3), item(2), item(1))
    whole = parsed(content)
    raws = [each.raw for each in whole]
    assert all(isinstance(each, RawItem) for each in whole) and len(set(raws)) == 3 and None not in raws
    assert parsed(content, {raws[0], raws[2]}) == [
        Passed(raws[0], whole[0].date),
        whole[1],
        Passed(raws[2], whole[2].date),
    ]
    assert parsed(content, set(raws)) == [Passed(each.raw, each.date) for each in whole]


def test_an_edited_item_is_parsed_again(rss, item):
    raws = {each.raw for each in parsed(rss(item(2), item(1)))}
    edited, same = parsed(rss(item(2, title="Other"), item(1)), raws)
    assert edited.title == "Other" and isinstance(same, Passed)


@pytest.mark.parametrize(
    "broken",
    [
        "<item><title>open</title>",
        "<item><title>in</title><item><title>in</title></item></item>",
        "<item/>",
        "</item>",
        "<item><title>x</title></entry>",
    ],
)
def test_what_cannot_be_split_is_parsed_whole(rss, item, broken):
    content = rss(item(1), broken)
    assert split(content) is None
    assert parsed(content)[0].title == "Post 1"


def test_items_in_comments_and_quotations_are_none(rss, item):
    content = rss("<!-- <item> -->", item(1, text="<![CDATA[ </item> <item> ]]>"), item(2))
    assert len(split(content).ranges) == 2
    assert [each.title for each in parsed(content)] == ["Post 1", "Post 2"]


def test_other_alphabets_are_not_split(rss, item):
    text = rss(item(1)).decode().replace("version='1.0'", "version='1.0' encoding='utf-16'")
    assert split(text.encode("utf-16")) is None and parsed(text.encode("utf-16"))[0].title == "Post 1"


@pytest.mark.parametrize("newest_first", [True, False])
def test_of_a_hundred_thousand_items_the_newest_count(rss, newest_first):
    row = "<item><guid>{}</guid><pubDate>01 Oct {} 10:00:00 GMT</pubDate></item>"
    rows = [row.format(n, 1990 + n // 5_000) for n in range(60_000)]
    content = rss(*(rows[::-1] if newest_first else rows))
    items = parsed(content)
    assert len(items) == ITEMS_MAX and any(each.guid.endswith("59999") for each in items)
    assert all(isinstance(each, Passed) for each in parsed(content, {each.raw for each in items}))


@pytest.mark.parametrize("octets", [b"<item ", b"<!--", b"<![CDATA[", b"<item><!--", b"<item></item><item", b"</item>"])
def test_splitting_is_linear(octets):
    """Twice as much costs no more than about twice as many steps; a quadratic scan of this would take hours."""
    assert split(b"<rss>" + octets * (4_000_000 // len(octets))) is None


def paths():
    data = os.environ.get("HELIOGRAPH_DATA")
    return sorted([*FEEDS.iterdir(), *((Path(data) / "feeds").iterdir() if data else ())])


@pytest.mark.parametrize("path", [path for path in paths() if path.suffix != ".json"], ids=lambda path: path.name)
def test_a_document_without_some_items_reads_like_the_whole(path):
    content = path.read_bytes()
    parts = split(content)
    if parts is None:
        return
    whole = parsed(content)
    assert [replace(each, raw=None) for each in whole] == parse_xml_whole(content)
    known = {each.raw for each in whole[1::2]}
    if None not in known:
        assert parsed(content, known)[::2] == whole[::2]


def parse_xml_whole(content):
    from ingest.parse import _parsed, _shortened

    return _parsed(_shortened(content), URL, "").items

"""An item is one post, whatever its publisher does to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.identity import SENT_MAX, Seen, judge
from ingest.items import Listed
from ingest.raw_item import RawItem, guid_key, link_key

DAY = 19_000
TEXT = "Much was thought that day, and some of it was even written down for whoever might want to read it later. "


def raw(guid: str = "", link: str = "", title: str = "", text: str = TEXT, date: float | None = None) -> RawItem:
    return RawItem(guid, link, title, "", date, text, False, "")


class Reader:
    """Somebody who follows: what she was sent, and what is remembered for her."""

    def __init__(self) -> None:
        self.seen: dict[int, Seen] = {}
        self.got: list[str] = []
        self.last_post_at = 0.0
        self.new = True
        self.day = DAY

    def poll(self, *items: RawItem) -> list[str]:
        listed = [Listed(*item.listed()) for item in items]
        backlog = 3 if self.new else None
        verdict = judge(listed, self.seen.values(), day=self.day, last_post_at=self.last_post_at, backlog=backlog)
        self.new = False
        self.seen |= {mark.item: mark for mark in verdict.mark}
        sent = [items[place].title for place, _ in verdict.send]
        assert all(name in self.seen for _, name in verdict.send)
        self.got += sent
        return sent


def blog(*numbers: int, guid: str = "id-{}", link: str = "http://b.example/{}") -> list[RawItem]:
    return [
        raw(guid.format(n), link.format(n), f"Post {n}", f"{n}: {TEXT}", 1_000.0 * n) for n in sorted(numbers)[::-1]
    ]


def test_the_newest_three_of_a_new_feed_oldest_first():
    reader = Reader()
    assert reader.poll(*blog(*range(1, 10))) == ["Post 7", "Post 8", "Post 9"]
    assert reader.poll(*blog(*range(1, 12))) == ["Post 10", "Post 11"]
    assert reader.poll(*blog(*range(1, 12))) == []


def test_an_item_that_comes_back_is_known():
    reader = Reader()
    reader.poll(*blog(1, 2, 3))
    reader.poll(*blog(2, 3, 4))
    assert reader.poll(*blog(1, 2, 3, 4)) == []


def test_guid_goes_from_http_to_https():
    reader = Reader()
    reader.poll(*blog(1, 2, guid="http://b.example/?p={}", link=""))
    assert reader.poll(*blog(1, 2, guid="https://b.example/?p={}", link="")) == []


def test_guid_changes_and_the_link_stays():
    reader = Reader()
    reader.poll(*blog(1, 2, 3))
    edited = [raw(f"other-{n}", f"http://b.example/{n}?utm_source=rss", f"Edited {n}") for n in (3, 2, 1)]
    assert reader.poll(*edited) == []
    moved = [raw(f"other-{n}", f"http://new.example/{n}", f"Edited {n}") for n in (3, 2, 1)]
    assert reader.poll(*moved) == []  # the second guid was learnt


def test_guid_and_link_change_and_the_text_stays():
    reader = Reader()
    reader.poll(*blog(1, 2, 3))
    assert reader.poll(*blog(1, 2, 3, guid="x-{}", link="https://moved.example/{}")) == []


def test_an_edited_item_is_no_new_one():
    reader = Reader()
    reader.poll(raw("1", "http://b.example/1", "A title"))
    assert reader.poll(raw("1", "http://b.example/1", "Another title", "Another text")) == []


def test_items_that_share_a_guid_are_told_apart_by_their_links():
    reader = Reader()
    reader.poll(*blog(1, 2, guid="the blog"))
    assert reader.poll(*blog(1, 2, 3, guid="the blog")) == ["Post 3"]
    assert reader.poll(*blog(1, 2, 3, guid="the blog")) == []


def test_a_guid_that_was_shared_for_a_while_is_remembered():
    reader = Reader()
    reader.poll(*blog(1, guid="the first"))
    assert reader.poll(*blog(1, 2, guid="the first")) == ["Post 2"]
    assert reader.poll(raw("the first", "http://b.example/moved", "Renamed", "and written anew")) == []


def test_items_that_share_a_link_are_told_apart_by_their_guids():
    reader = Reader()
    reader.poll(*blog(1, 2, link="http://b.example/all"))
    assert reader.poll(*blog(1, 2, 3, link="http://b.example/all")) == ["Post 3"]


def test_a_photo_of_the_day_with_the_front_page_as_its_link():
    reader = Reader()
    reader.poll(raw("1", "http://b.example/", "Photo", "x"))
    assert reader.poll(raw("2", "http://b.example/", "Photo", "x")) == ["Photo"]


def test_an_item_that_is_listed_twice_is_one():
    reader = Reader()
    assert reader.poll(*blog(1), *blog(1)) == ["Post 1"]
    assert reader.poll(*blog(2), *blog(2), *blog(1)) == ["Post 2"]


def test_items_without_guid_and_link_are_known_by_what_they_say():
    reader = Reader()
    assert reader.poll(raw(title="b", text="short"), raw(title="a", text="short")) == ["a", "b"]
    assert reader.poll(raw(title="c", text="x"), raw(title="b", text="short"), raw(title="a", text="short")) == ["c"]


def test_a_site_that_gives_everything_a_new_path_floods_nobody():
    reader = Reader()
    reader.poll(*blog(*range(1, 21)))
    reader.last_post_at = 100_000.0
    again = [raw(f"g{n}", f"http://n.example/{n}", f"T{n}", f"other {n} {TEXT}", 1_000.0 * n) for n in range(20, 0, -1)]
    assert reader.poll(*again) == ["T18", "T19", "T20"]
    assert reader.poll(*again) == []


def test_short_texts_count_in_a_flood():
    reader = Reader()
    reader.poll(*(raw(f"a{n}", f"http://b.example/{n}", f"Photo {n}", "") for n in range(20)))
    assert reader.poll(*(raw(f"b{n}", f"http://c.example/{n}", f"Photo {n}", "") for n in range(20))) == []


def test_a_busy_day_is_no_flood():
    reader = Reader()
    reader.poll(*blog(*range(1, 11)))
    reader.last_post_at = 10_500.0
    assert len(reader.poll(*blog(*range(1, 31)))) == 20


def test_more_than_one_poll_may_post_waits_for_the_next():
    reader = Reader()
    reader.poll(*blog(1))
    first = reader.poll(*blog(*range(1, 2 * SENT_MAX)))
    assert first == [f"Post {n}" for n in range(2, SENT_MAX + 2)]
    assert reader.poll(*blog(*range(1, 2 * SENT_MAX))) == [f"Post {n}" for n in range(SENT_MAX + 2, 2 * SENT_MAX)]


def test_keys():
    assert guid_key("https://a.example/1") == guid_key("http://a.example/1 ") != guid_key("tag:1")
    assert guid_key("  ") is None
    assert link_key("http://www.a.example/1/") == link_key("https://a.example/1?utm_medium=x")
    assert link_key("https://a.example/log#2") != link_key("https://a.example/log#1")
    assert link_key("https://a.example/") is None and link_key("mailto:x") is None and link_key("http://[") is None


KEY = st.integers(0, 3)
ITEM = st.builds(
    lambda guid, link, title, date: raw(
        f"g{guid}" if guid else "", f"http://b.example/{link}" if link else "", f"{title}", "", date and 1000.0 * date
    ),
    KEY,
    KEY,
    KEY,
    KEY,
)


@given(st.lists(st.lists(ITEM, max_size=12), min_size=1, max_size=4))
def test_a_document_brings_nothing_the_second_time(documents):
    reader = Reader()
    for document in documents:
        reader.poll(*document)
        assert reader.poll(*document) == []


@given(st.lists(ITEM, max_size=12))
def test_no_name_is_given_twice(document):
    listed = [Listed(*item.listed()) for item in document]
    verdict = judge(listed, (), day=DAY, last_post_at=0, backlog=100)
    names = [name for _, name in verdict.send]
    assert len(set(names)) == len(names)

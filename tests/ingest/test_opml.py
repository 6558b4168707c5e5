"""Lists of feeds: read from whatever readers write, and written so that they can be read."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.opml import OUTLINES_MAX, NoOpml, Outline, read_opml, write_opml

LIST = b"""<?xml version="1.0" encoding="ISO-8859-1"?>
<opml version="1.0"><head><title>mine</title></head><body>
  <outline text="News"><outline TYPE="rss" text="A &amp; B" xmlUrl="https://a.example/?x=1&amp;y=2" htmlUrl="https://a.example/"/>
    <outline text="Local/Town"><outline title="Caf\xe9" text="x" xmlUrl="https://c.example/"></outline></outline></outline>
  <outline text="empty"/>
  <outline xmlUrl="https://d.example/"/>
</body></opml>"""


def test_outlines_stand_in_their_folders() -> None:
    assert read_opml(LIST) == [
        Outline("https://a.example/?x=1&y=2", "A & B", "News"),
        Outline("https://c.example/", "Café", "News/Local-Town"),
        Outline("https://d.example/", "", ""),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"<html><body/></html>",
        b"<opml><body>",
        b'<?xml version="1.0" encoding="no-such"?><opml/>',
        b'<?xml version="1.0" encoding="shift_jis"?><opml/>',
        b'<?xml version="1.0" encoding="idna"?><opml/>',
        b'<!DOCTYPE o [<!ENTITY a "b">]><opml><body><outline text="&a;"/></body></opml>',
        b"<opml>" + b"<outline>" * 100,
        b"<opml>" + b'<outline xmlUrl="https://a.example/"/>' * (OUTLINES_MAX + 1) + b"</opml>",
    ],
)
def test_what_is_no_list_is_said(content: bytes) -> None:
    with pytest.raises(NoOpml):
        read_opml(content)


TEXT = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="/"), min_size=1, max_size=20)


@given(
    st.lists(
        st.builds(Outline, TEXT.map(lambda text: f"https://a.example/{text}"), TEXT, st.just("") | TEXT), max_size=6
    )
)
def test_what_is_written_is_read(outlines: list[Outline]) -> None:
    found = read_opml(write_opml("x", outlines))
    assert sorted(found, key=repr) == sorted(outlines, key=repr)


@given(st.binary(max_size=200))
def test_anything_is_a_list_or_none(content: bytes) -> None:
    with contextlib.suppress(NoOpml):
        read_opml(content)

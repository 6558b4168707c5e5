"""Replies of peers who may be anybody."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spool.reply_reader import LINE_OCTETS_MAX, LINES_MAX, TEXT_CHARACTERS_MAX, BadReply, Reply, ReplyReader

SESSION = b"220 hi\r\n250-one\r\n250-two words\r\n250 three\r\n354\r\n550 5.1.1 no\r\n250 \xff\x1b[31m\r\n"


def read(*chunks: bytes) -> list[Reply]:
    reader = ReplyReader()
    return [reply for chunk in chunks for reply in reader.feed(chunk)]


def test_replies_are_read_whole() -> None:
    assert [(r.code, r.text) for r in read(SESSION)] == [
        (220, "hi"), (250, "one two words three"), (354, ""), (550, "5.1.1 no"), (250, "\ufffd [31m"),
    ]  # fmt: skip
    assert read(SESSION)[1].lines == ("one", "two words", "three")


@given(st.lists(st.integers(0, len(SESSION)), max_size=12))
def test_it_does_not_matter_where_the_network_cuts(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(SESSION)]
    assert read(*(SESSION[a:b] for a, b in pairwise(places))) == read(SESSION)


@given(st.lists(st.binary(max_size=200), max_size=20))
@example([b"250 \n" * 3])
@example([b"99 x\r\n"])
@example([b"\xb2\xb3\xb9 superscripts are digits to some\r\n"])
def test_rubbish_is_a_bad_reply_and_nothing_else(chunks: list[bytes]) -> None:
    try:
        replies = read(*chunks)
    except BadReply:
        return
    assert all(200 <= r.code < 600 and len(r.text) <= TEXT_CHARACTERS_MAX and r.text.isprintable() for r in replies)


ENDLESS = [
    b"2" * (LINE_OCTETS_MAX + 1),
    b"250-x\r\n" * LINES_MAX,
    b"250 " + b"x" * LINE_OCTETS_MAX + b"\r\n",
    b"\r\n",
    b"HTTP/1.1 200\r\n",
]


@pytest.mark.parametrize("endless", ENDLESS)
def test_what_never_ends_ends_the_connection(endless: bytes) -> None:
    with pytest.raises(BadReply):
        read(*(endless[k : k + 1000] for k in range(0, len(endless), 1000)))

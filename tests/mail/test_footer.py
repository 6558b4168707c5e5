"""What can be a footer, and the field in which it travels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.footer import FIELD, LINE_OCTETS_MAX, LINES_MAX, OCTETS_MAX, clean, fault_of, field_of, footer_of, shown
from mail.headers import Headers


def through(line: bytes) -> str:
    return footer_of(Headers.parse(line + b"\r\n"))


@pytest.mark.parametrize(
    "text",
    [
        "Bob's news",
        "Grüße\n\n  leave: %unsubscribe%\n日本語 👩‍🚀",
        "x" * LINE_OCTETS_MAX,
        "\n".join("x" * LINES_MAX),
        "=?utf-8?q?Bcc?= \\ % 100%",
    ],
)
def test_what_can_be_one_travels(text: str) -> None:
    assert fault_of(clean(text)) == "" and through(field_of(text)) == text
    assert max(len(line) for line in field_of(text).split(b"\r\n")) < 80


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no words"),
        (" \n ", "no words"),
        ("x\n" * LINES_MAX + "x", "lines"),
        ("\n".join(["x" * 200] * 6), f"{OCTETS_MAX} at most"),
        ("ü" * 251, "a line of 502 octets"),
        ("a\x00b", "U+0000"),
        ("a\x1b[31m", "U+001B"),
        ("a\u202eb", "U+202E"),
        ("a\ufffdb", "U+FFFD"),
        ("a\ud800b", "U+D800"),
        ("%unsubscribe% %unsubscribe%", "more than once"),
        ("leave: %unsubscirbe%", "%unsubscirbe% means nothing"),
    ],
)
def test_what_cannot_be_one_is_told_why(text: str, why: str) -> None:
    assert why in fault_of(text)
    packed = text.encode("utf-8", "surrogatepass")
    assert through(field_of(text) if b"\xed" not in packed else b"x: y") == ""


@pytest.mark.parametrize("text", ["a \nb", "a\r\nb", "\na", "a\tb", "a\u2028b"])
def test_words_that_were_never_kept_so_are_none(text: str) -> None:
    assert through(field_of(text)) == ""


def test_words_are_kept_without_what_clients_add() -> None:
    assert clean("\r\n\r\na\t b\u00a0c \r\n\r\nd  \r\n\r\n") == "a  b c\n\nd"


def test_a_delimiter_stands_above_unless_the_owner_drew_one() -> None:
    assert shown("Bob") == "-- \nBob"
    assert shown("_____\nBob") == "_____\nBob"


@given(st.text(max_size=1_500))
def test_every_text_is_taken_whole_or_not_at_all(text: str) -> None:
    kept = clean(text)
    assert clean(kept) == kept
    if not fault_of(kept):
        assert through(field_of(kept)) == kept


@given(st.binary(max_size=200))
def test_a_field_from_anywhere_breaks_nothing(value: bytes) -> None:
    found = through(f"{FIELD}: ".encode() + value)
    assert found == "" or not fault_of(found)

"""Header blocks as bytes: reading never raises, writing never injects."""

from __future__ import annotations

import re
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.headers import (
    ADDRESS_FIELD_CHARACTERS_MAX,
    Headers,
    add_headers,
    bare,
    drop_headers,
    first_addr_spec,
    header_block,
    header_line,
    names_several,
    split_message,
)

MESSAGE = b"From: a@b\r\nSubject: one\r\n two\r\nHeliograph-Post: 1\r\n\t2\r\nX: y\r\n\r\nHeliograph-Post: body\r\n"


def test_a_message_is_cut_after_the_empty_line() -> None:
    assert split_message(b"A: b\r\n\r\ntext") == (b"A: b\r\n\r\n", b"text")
    assert split_message(b"A: b\r\n") == (b"A: b\r\n", b"")
    assert split_message(b"\r\ntext") == (b"\r\n", b"text")


def test_fields_are_unfolded() -> None:
    headers = Headers.parse(split_message(MESSAGE)[0])
    assert headers.get("SUBJECT") == "one two"
    assert headers.all("heliograph-post") == ["1\t2"]
    assert headers.get("missing", "-") == "-"


def test_dropping_takes_folded_lines_along_and_leaves_the_text() -> None:
    assert drop_headers(MESSAGE, prefix="Heliograph-") == (
        b"From: a@b\r\nSubject: one\r\n two\r\nX: y\r\n\r\nHeliograph-Post: body\r\n"
    )
    assert drop_headers(MESSAGE, ["x", "FROM"]).startswith(b"Subject: one")


@pytest.mark.parametrize("spelling", [b"heliograph-post: 1", b"HELIOGRAPH-Post : 1", b"Heliograph-X:\r\n 1"])
def test_no_spelling_of_a_trusted_field_survives_dropping(spelling: bytes) -> None:
    content = b"A: b\r\nnot a field\r\n" + spelling + b"\r\n\r\ntext"
    assert b"eliograph" not in drop_headers(content, prefix="Heliograph-").lower()


def test_a_line_break_in_a_value_cannot_start_another_field() -> None:
    for value in ("x\r\nBcc: all@x", "x\nBcc: y", "x\r"):
        with pytest.raises(ValueError):
            header_line("Subject", value)


def test_long_and_foreign_values_are_encoded_and_folded() -> None:
    line = header_line("Subject", "ü" * 300)
    assert line.isascii() and line.endswith(b"\r\n")
    assert all(len(part) <= 78 for part in line.split(b"\r\n"))
    assert add_headers(b"\r\ntext", [("A", "b")]) == b"A: b\r\n\r\ntext"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Bob <Bob@Fabric.Test>", "bob@fabric.test"),
        ('"eve@evil.test" <bob@fabric.test>', "bob@fabric.test"),
        ("bob@fabric.test (Bob)", "bob@fabric.test"),
        ('"Bob" <bob@fabric.test>, x@y', "bob@fabric.test"),
        ("eve@evil.test <bob@fabric.test>", "bob@fabric.test"),
        ("<>", ""),
        ("undisclosed-recipients:;", ""),
        ("bob", ""),
        ("(c (d) <alice@fabric.test>) bob@fabric.test", "bob@fabric.test"),
        ('(" <alice@fabric.test>) bob@fabric.test (")', "bob@fabric.test"),
        ("bob@fabric.test (open <alice@fabric.test>", "bob@fabric.test"),
    ],
)
def test_the_address_that_a_from_field_names(value: str, expected: str) -> None:
    assert first_addr_spec(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "alice@fabric.test, bob@fabric.test",
        "group: alice@fabric.test, bob@fabric.test;",
        "<alice@fabric.test> <bob@fabric.test>",
        "<alice@fabric.test> (a (b) c) <bob@fabric.test>",
        "alice@fabric.test" + " " * 20_000 + ", bob@fabric.test",
    ],
)
def test_several_addresses_are_noticed(value: str) -> None:
    assert names_several(value)


@pytest.mark.parametrize(
    "value", ['"bob@x, eve@x" <alice@fabric.test>', "alice@fabric.test (a (b@x, c@x))", "A. (x) Lee <a@b>"]
)
def test_words_and_comments_are_no_addresses(value: str) -> None:
    assert not names_several(value)


@given(st.binary(max_size=400))
def test_reading_never_raises_and_dropping_nothing_changes_nothing(content: bytes) -> None:
    headers = Headers.parse(split_message(content)[0])
    for name, _ in headers.fields:
        headers.get(name)
    assert drop_headers(content) == content


@given(
    st.lists(st.sampled_from([b"A: 1\r\n", b"Heliograph-X: 2\r\n", b" fold\r\n", b"junk\r\n", b"B:\r\n"]), max_size=12)
)
def test_after_dropping_no_parser_finds_the_field(lines: list[bytes]) -> None:
    content = drop_headers(b"".join(lines) + b"\r\ntext", prefix="heliograph-")
    assert not any(name.startswith("heliograph-") for name, _ in Headers.parse(split_message(content)[0]).fields)


def test_hostile_blocks_are_read_in_linear_time() -> None:
    for piece in (
        b"a" * 100_000,
        b": " * 50_000,
        b"\r\n" * 50_000,
        b"A:\r\n " * 25_000,
        b'"' * 100_000,
        b'"' + b'\\"' * 50_000,
    ):
        Headers.parse(piece)
        first_addr_spec(piece.decode())


def test_a_long_word_in_from_costs_no_more_than_its_length() -> None:
    """Any stranger's From is read in the event loop, several times."""
    began = time.process_time()
    for word in ("a" * ADDRESS_FIELD_CHARACTERS_MAX, "a " * (ADDRESS_FIELD_CHARACTERS_MAX // 2)):
        for _ in range(20):
            assert first_addr_spec(word) == ""
    assert time.process_time() - began < 2.0  # 0.02 s; a search from each character takes 20


@given(st.text('ab@.<> ",;()\\', max_size=20))
def test_looking_only_where_a_word_begins_overlooks_no_address(text: str) -> None:
    anywhere = re.search(r"[^\s<>\"(),:;@\[\]\\]+@[A-Za-z0-9.\-]+", bare(text))
    assert "<" in bare(text) or first_addr_spec(text) == (anywhere[0].lower() if anywhere else "")


def test_reading_the_header_of_a_large_message_copies_none_of_its_text() -> None:
    """At the door it is read a dozen times."""
    content = b"From: a@b\r\n\r\n" + b"x" * 5_000_000
    tracemalloc.start()
    assert Headers.of(content).get("from") == "a@b" and header_block(content) == b"From: a@b\r\n\r\n"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000

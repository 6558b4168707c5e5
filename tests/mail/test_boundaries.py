"""A multipart's parts are told by whole lines, wherever they are looked for."""

from __future__ import annotations

import pytest

from mail.boundaries import boundary_of, pieces
from mail.parts import parts_of
from mail.words import text_of

INLINE = b"before --b after\r\n--bc is no boundary\r\nlast"
MAIL = (
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\nnobody\'s\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\n"
    + INLINE
    + b"\r\n--b \r\n\r\nsecond\r\n--b--\r\nnobody's\r\n--b\r\n\r\nthird\r\n"
)


def test_letters_within_a_line_are_no_boundary() -> None:
    assert text_of(MAIL) == INLINE.decode()
    assert [part.content for part in parts_of(MAIL, 1_000)] == [INLINE, b"second"]


@pytest.mark.parametrize(
    ("field", "boundary"),
    [
        ("multipart/mixed; boundary=a.b", "a.b"),
        ('multipart/mixed; charset=x; BOUNDARY = "a b"', "a b"),
        (r'multipart/mixed; boundary="a\"b"', 'a"b'),
        ("multipart/mixed; notboundary=a", ""),
        ("multipart/mixed; boundary=\u00e9", ""),
        ("text/plain", ""),
    ],
)
def test_which_boundary_a_field_gives(field: str, boundary: str) -> None:
    assert boundary_of(field) == boundary


def test_no_more_parts_than_asked_for_and_one_that_nothing_ends() -> None:
    text = b"--b\r\n1\r\n--b\r\n2\r\n--b\r\n3"
    assert pieces(text, "b", 9) == [b"1", b"2", b"3"]
    assert pieces(text, "b", 2) == [b"1", b"2"]
    assert pieces(b"--bb\r\n1\r\n", "b", 9) == []
    assert pieces(b"--b--\r\n1\r\n", "b", 9) == []

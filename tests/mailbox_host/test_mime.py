"""Messages taken apart: boundaries in every state, sections, and what the standard library makes of real mail."""

from __future__ import annotations

import email
import os
from email.message import Message
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_host.mime import LEVELS_MAX, PARTS_MAX, Part, scan, section
from mailbox_host.scanner import NEAR_MISSES_MAX


def crlf(text: str) -> bytes:
    return text.encode("latin-1").replace(b"\n", b"\r\n")


def multipart(boundary: str, *parts: str, kind: str = "mixed", end: bool = True) -> str:
    body = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\n{body}' + (f"--{boundary}--\n" if end else "")


def shape(part: Part) -> object:
    """The tree in a few words: lists are multiparts, a leaf is its type, a message is ("rfc822", what it holds)."""
    if part.is_multipart:
        return [shape(child) for child in part.children]
    return ("rfc822", shape(part.message)) if part.message else f"{part.type}/{part.subtype}"


def bodies(content: bytes) -> list[bytes]:
    return [part.body(content) for part in scan(content).walk() if not part.is_multipart and not part.message]


def test_a_plain_message() -> None:
    content = crlf("Subject: x\n\none\ntwo\n")
    part = scan(content)
    assert (part.header_end, part.body_end, part.lines) == (14, len(content), 2)
    assert shape(part) == "text/plain" and part.charset == "us-ascii" and part.encoding == "7bit"


@pytest.mark.parametrize(
    "content,header,body",
    [
        (b"", b"", b""),
        (b"\r\n", b"\r\n", b""),
        (b"\r\nbody", b"\r\n", b"body"),
        (b"A: b", b"A: b", b""),
        (b"A: b\r\n", b"A: b\r\n", b""),
        (b"A: b\r\n\r\n", b"A: b\r\n\r\n", b""),
        (b"A: b\n\nbody\n", b"A: b\n\n", b"body\n"),
    ],
)
def test_where_a_header_ends(content: bytes, header: bytes, body: bytes) -> None:
    part = scan(content)
    assert (part.header(content), part.body(content)) == (header, body)


def test_the_line_end_before_a_delimiter_belongs_to_it() -> None:
    content = crlf(
        "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\none\n\n--b  \n\n\n--b\n\n--b--\nepilogue\n--b\n"
    )
    assert bodies(content) == [b"one\r\n", b"", b""]
    assert scan(content).body(content).startswith(b"preamble") and scan(content).body_end == len(content)


def test_a_boundary_that_begins_another_is_another() -> None:
    inner = multipart("foobar", "\none", "\ntwo")
    content = crlf(multipart("foo", inner, "\nthree"))
    assert shape(scan(content)) == [["text/plain", "text/plain"], "text/plain"]
    assert bodies(content) == [b"one", b"two", b"three"]
    swapped = crlf(multipart("foobar", multipart("foo", "\none", "\ntwo"), "\nthree"))
    assert bodies(swapped) == [b"one", b"two", b"three"]
    assert bodies(crlf(multipart("b", "\n--bx\n-- b\n --b\nx--b"))) == [b"--bx\r\n-- b\r\n --b\r\nx--b"]


def test_a_boundary_that_looks_like_anothers_end() -> None:
    content = crlf(multipart("b", multipart("b--", "\none", "\ntwo"), "\nthree"))
    assert bodies(content) == [b"one", b"two", b"three"]


def test_an_outer_delimiter_ends_what_forgot_its_own() -> None:
    content = crlf(multipart("out", multipart("in", "\none", end=False), "\ntwo"))
    assert shape(scan(content)) == [["text/plain"], "text/plain"]
    assert bodies(content) == [b"one\r\n", b"two"]
    assert bodies(crlf(multipart("out", multipart("in", "\none", end=False), end=False))) == [b"one\r\n\r\n"]


def test_a_delimiter_in_a_header_ends_the_header() -> None:
    content = crlf(multipart("b", "Content-Type: text/html", "Content-ID: <2>\n\ntwo"))
    first, second = scan(content).children
    assert first.header(content) == b"Content-Type: text/html\r\n" and first.body(content) == b""
    assert shape(first) == "text/html" and second.body(content) == b"two"
    empty = crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n--b--\n")
    assert [part.header(empty) for part in scan(empty).children] == [b"", b""]


def test_the_same_boundary_inside_belongs_to_the_inner() -> None:
    content = crlf(multipart("b", multipart("b", "\none", "\ntwo"), "\nthree"))
    assert shape(scan(content)) == [["text/plain", "text/plain"], "text/plain"]
    assert bodies(content) == [b"one", b"two", b"three"]


def test_messages_in_messages() -> None:
    inner = "Subject: inner\n" + multipart("in", "\none", "Content-Type: image/png\n\n!")
    content = crlf(multipart("out", "\nhello", f"Content-Type: message/rfc822\n\n{inner}", "\nbye"))
    assert shape(scan(content)) == ["text/plain", ("rfc822", ["text/plain", "image/png"]), "text/plain"]
    digest = crlf(multipart("b", "\nSubject: a\n\none", "Content-Type: text/plain\n\ntwo", kind="digest"))
    assert shape(scan(digest)) == [("rfc822", "text/plain"), "text/plain"]  # RFC 2046 5.1.5


def test_sections() -> None:
    inner = "Subject: inner\n" + multipart("in", "\none", "Content-Type: image/png\n\n!")
    content = crlf("Subject: outer\n" + multipart("out", "\nhello", f"Content-Type: message/rfc822\n\n{inner}"))
    part = scan(content)

    def cut(spec: str) -> bytes | None:
        return section(content, part, spec)

    assert cut("") == content
    assert cut("HEADER") == content[: part.header_end] and cut("TEXT") == content[part.header_end :]
    assert cut("1") == b"hello" and cut("1.MIME") == b"\r\n"
    assert cut("2") == crlf(inner) and cut("2.MIME") == b"Content-Type: message/rfc822\r\n\r\n"
    assert (cut("2.header") or b"").startswith(b"Subject: inner\r\nContent-Type: multipart/mixed")
    assert (cut("2.TEXT") or b"").startswith(b"--in\r\n")
    assert cut("2.1") == b"one" and cut("2.2") == b"!" and cut("2.2.MIME") == b"Content-Type: image/png\r\n\r\n"
    for absent in ("0", "3", "1.1", "2.3", "2.1.1", "1.HEADER", "1.TEXT", "MIME", "2.0", "99999999999", "x", "1.x"):
        assert cut(absent) is None, absent


def test_part_one_of_what_is_no_multipart_is_its_body() -> None:
    content = crlf("Subject: x\n\nbody\n")
    part = scan(content)
    assert section(content, part, "1") == b"body\r\n" and section(content, part, "1.MIME") == part.header(content)
    assert section(content, part, "2") is None and section(content, part, "1.1") is None
    wrapped = crlf("Content-Type: message/rfc822\n\nSubject: y\n\ninner\n")
    assert section(wrapped, scan(wrapped), "1") == crlf("Subject: y\n\ninner\n")
    assert section(wrapped, scan(wrapped), "1.TEXT") == section(wrapped, scan(wrapped), "1.1") == b"inner\r\n"


def test_limits_hold_and_leave_the_rest_to_the_last_part() -> None:
    deep = "\nleaf"
    for level in range(200):
        deep = multipart(f"b{level}", deep)
    levels = scan(crlf(deep))
    depth = 0
    while levels.children:
        levels, depth = levels.children[0], depth + 1
    assert depth == LEVELS_MAX - 1
    nested = scan(b"Content-Type: message/rfc822\r\n\r\n" * 2000)
    assert len(list(nested.walk())) == LEVELS_MAX
    many = crlf(multipart("b", *["\nx"] * 3000))
    parts = list(scan(many).walk())
    assert len(parts) == PARTS_MAX and parts[-1].body_end == len(many)
    near = crlf(multipart("b", "\n" + "--bb\n" * (NEAR_MISSES_MAX + 1), "\nlast"))
    assert len(scan(near).children) == 1


pieces = st.lists(
    st.sampled_from(
        [
            b"\r\n", b"\n", b"\r", b"--a", b"--b", b"--", b"--a--", b"--b--", b" ", b"x", b"\x00", b"\xff", b'"', b";",
            b"\r\n--a\r\n", b"\r\n--b\r\n", b"\r\n--a--\r\n", b"\r\n\r\n", b"Content-Type:", b"To: ", b"(",
            b"Content-Type: multipart/mixed; boundary=a\r\n", b"Content-Type: multipart/mixed\r\n\r\n",
            b"Content-Type: multipart/digest; boundary=b\r\n\r\n", b"Content-Type: message/rfc822\r\n\r\n",
            b'Content-Type: multipart/x; boundary="b--"\r\n\r\n',
        ]
    ),
    max_size=40,
).map(b"".join)  # fmt: skip


@settings(deadline=None)
@given(pieces)
def test_whatever_comes_the_parts_lie_within_each_other_and_in_order(content: bytes) -> None:
    root = scan(content)
    assert root.header_start == 0 and root.body_end == len(content)
    for part in root.walk():
        assert part.header_start <= part.header_end <= part.body_end <= len(content)
        assert part.lines == part.body(content).count(b"\n")
        inside = [*part.children, *([part.message] if part.message else [])]
        ends = [(child.header_start, child.body_end) for child in inside]
        assert all(part.header_end <= start <= end for start, end in ends)
        assert all(end <= part.body_end for _, end in ends)
        assert ends == sorted(ends) and all(a[1] <= b[0] for a, b in pairwise(ends))
        if part.message:
            assert (part.message.header_start, part.message.body_end) == (part.header_end, part.body_end)


def real_mail() -> list[Path]:
    folder = Path(os.environ.get("HELIOGRAPH_DATA", "/nonexistent"))
    return sorted([*folder.glob("messages/*"), *folder.glob("bounces/*")])


def stdlib_shape(message: Message) -> object:
    held = message.get_payload()
    if message.get_content_maintype() == "multipart":
        return [stdlib_shape(part) for part in held] if message.is_multipart() else []  # type: ignore[arg-type]
    if message.get_content_type() == "message/rfc822" and message.is_multipart():
        return ("rfc822", stdlib_shape(message.get_payload(0)))  # type: ignore[arg-type]
    return message.get_content_type()


def stdlib_texts(message: Message) -> list[bytes]:
    """What it keeps of each text, as the octets that came."""
    leaves = [part for part in message.walk() if part.get_content_maintype() == "text" and not part.is_multipart()]
    return [vars(part)["_payload"].encode("ascii", "surrogateescape").rstrip() for part in leaves]


@pytest.mark.skipif(not real_mail(), reason="HELIOGRAPH_DATA is not set")
def test_real_mail_has_the_shape_that_the_standard_library_sees() -> None:
    different, compared = [], 0
    for path in real_mail():
        content = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        theirs = email.message_from_bytes(content)
        if any(part.defects for part in theirs.walk()):  # malformed, it says: there is no one right shape
            continue
        compared += 1
        if shape(scan(content)) != stdlib_shape(theirs):
            different.append(path.name)
            continue
        parts = [part for part in scan(content).walk() if part.type == "text"]
        said = [text for text in stdlib_texts(theirs) if text]  # it also makes texts of reports' blocks, all empty
        if [text for part in parts if (text := part.body(content).rstrip())] != said:
            different.append(path.name + " (texts)")
    assert different == [] and compared > 100

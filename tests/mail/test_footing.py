"""Words put under a message, read back as a stranger's program reads it."""

from __future__ import annotations

import base64
import email
import email.policy
from email.message import EmailMessage

import dkim
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mail.footing import LOOKS_MAX, REPACKED_OCTETS_MAX, foot
from mail.headers import split_message
from mail.seal import hash_message

PLAIN = "-- \nYou get this from bob.\nLeave: https://x.test/a"
GREEN = "-- \nGrüße von Bob"
MIME = "MIME-Version: 1.0\r\nSubject: x\r\n"


def footed(content: bytes, words: str = PLAIN) -> bytes | None:
    assert content.endswith(b"\r\n")
    found = foot(*split_message(content), words)
    return found and found.block + found.text + found.end(words)


def read(content: bytes | None) -> EmailMessage:
    assert content is not None
    assert content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r")
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects and not any(part.defects for part in message.walk())
    return message


def text_of(content: bytes | None) -> str:
    return str(read(content).get_content()).replace("\r\n", "\n")


def plain(charset: str, encoding: str, octets: bytes, more: str = "") -> bytes:
    fields = f"Content-Type: text/plain; charset={charset}{more}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return (MIME + fields).encode() + octets


@pytest.mark.parametrize(
    ("content", "words", "text"),
    [
        (b"Subject: x\r\n\r\nhello\r\n", PLAIN, "hello\n"),
        (b"Subject: x\r\n\r\n", PLAIN, ""),
        (plain("us-ascii", "7bit", b"hello\r\n"), PLAIN, "hello\n"),
        (plain("utf-8", "8bit", "grün\r\n".encode()), GREEN, "grün\n"),
        (plain('"ISO-8859-1"', "8bit", "grün\r\n".encode("latin-1")), GREEN, "grün\n"),
        (plain("utf-8", "quoted-printable", b"gr=C3=BCn=20\r\n"), GREEN, "grün \n"),
        (plain("utf-8", "quoted-printable", b"soft=\r\n"), PLAIN, "soft"),
        (
            plain("utf-8", "base64", base64.encodebytes("grün\n".encode() * 40).replace(b"\n", b"\r\n")),
            GREEN,
            "grün\n" * 40,
        ),
        (plain("utf-8", "base64", b"bm8gbGluZSBlbmQ=\r\n"), GREEN, "no line end\n"),
        (plain("windows-1251", "base64", b"8uXx8g==\r\n"), "-- \nпока", "тест\n"),
        (plain("gb18030", "8bit", "你好\r\n".encode("gb18030")), "-- \n再见", "你好\n"),
    ],
)
def test_plain_text_goes_on_in_its_own_charset_and_encoding(content: bytes, words: str, text: str) -> None:
    found = footed(content, words)
    assert not read(found).is_multipart()
    assert text_of(found) == f"{text}\n{words}\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (plain("us-ascii", "7bit", b"hello\r\n"), GREEN),  # it stays seven-bit
        (plain("utf-8", "8bit", b"hello\r\n"), GREEN),  # so does this: it was made fit for its next host
        (plain("iso-8859-1", "8bit", b"gr\xfcn\r\n"), "-- \nпока"),  # its charset has no such letters
        (plain("utf-16", "base64", base64.encodebytes("hi\r\n".encode("utf-16")).replace(b"\n", b"\r\n")), PLAIN),
        (plain("iso-2022-jp", "7bit", b"\x1b$B$3\x1b(B\r\n"), PLAIN),  # it has states
        (plain("x-none", "8bit", b"gr\xfcn\r\n"), PLAIN),
        (plain("us-ascii", "x-uuencode", b"begin\r\n"), PLAIN),
        (plain("us-ascii", "7bit", b"a file\r\n").replace(b"Subj", b"Content-Disposition: attachment\r\nSubj"), PLAIN),
        (plain("utf-8", "base64", (b"QUJD" * 19 + b"\r\n") * (REPACKED_OCTETS_MAX // 77)), PLAIN),
        (MIME.encode() + b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>hello</p>\r\n", PLAIN),
        (MIME.encode() + b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>\xc3\xbc</p>\r\n", GREEN),
        (MIME.encode() + b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n", PLAIN),
        (
            MIME.encode() + b"Content-Type: multipart/alternative; boundary=a\r\n\r\n"
            b"--a\r\n\r\nhello\r\n--a\r\nContent-Type: text/html\r\n\r\n<p>\r\n--a--\r\n",
            GREEN,
        ),
        (b"Content-Type: text/html\r\nContent-ID: <1@x>\r\nTo: x\r\n\r\n<p>without MIME-Version\r\n", PLAIN),
    ],
)
def test_what_cannot_go_on_becomes_the_first_of_two_parts(content: bytes, words: str) -> None:
    found = footed(content, words)
    first, last = read(found).iter_parts()
    text = split_message(content)[1]
    assert found is not None and text in found  # octet for octet
    before = email.message_from_bytes(content, policy=email.policy.default)
    assert [v for k, v in before.items() if k.lower().startswith("content-")] == first.values()
    assert read(found)["MIME-Version"] == "1.0" and found.count(b"MIME-Version:") == 1
    assert str(last.get_content()).replace("\r\n", "\n") == f"{words}\n" and last.get_content_disposition() == "inline"
    assert found.isascii() == content.isascii()
    assert (b"\r\nContent-Transfer-Encoding: 8bit\r\n" in split_message(found)[0]) == (not content.isascii())


MIXED = (
    MIME + 'Content-Type: multipart/mixed; boundary="b b"\r\n\r\nnobody reads this\r\n--b b\r\n\r\nhello\r\n'
    "--b b\r\nContent-Type: application/pdf\r\n\r\n--b b-- no\r\n--b b--no\r\n--b b--  \r\nnor this\r\n--b b--\r\n"
)


def test_a_multipart_mixed_has_one_part_more() -> None:
    for words in (PLAIN, GREEN):
        found = footed(MIXED.encode(), words)
        parts = list(read(found).iter_parts())
        assert [part.get_content_type() for part in parts] == ["text/plain", "application/pdf", "text/plain"]
        assert str(parts[2].get_content()).replace("\r\n", "\n") == f"{words}\n"
        assert found is not None and found.startswith(MIXED.encode().partition(b"\r\n--b b--  ")[0])
        assert b"nor this" not in found


SIGNED = [
    "multipart/signed; boundary=b; protocol=application/pgp-signature",
    "Multipart/Encrypted; boundary=b",
    "application/pkcs7-mime; smime-type=signed-data",
    "application/x-pkcs7-mime",
    "multipart/report; boundary=b",
    "message/partial; id=x; number=1",
]


@pytest.mark.parametrize("kind", SIGNED)
def test_what_is_signed_or_encrypted_is_left_alone(kind: str) -> None:
    assert footed(f"{MIME}Content-Type: {kind}\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n".encode()) is None


def test_what_is_signed_within_keeps_its_octets() -> None:
    part = b"--s\r\nContent-Type: text/plain\r\n\r\n signed \r\n\r\n--s\r\n\r\nsignature\r\n--s--\r\n"
    inner = b"Content-Type: multipart/signed; boundary=s; micalg=pgp-sha256\r\n\r\n" + part
    content = MIME.encode() + b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n" + inner + b"\r\n--m--\r\n"
    found = footed(content)
    assert found is not None and inner in found and len(list(read(found).iter_parts())) == 2


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Type: text/plain\r\nContent-Type: text/html\r\n",
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n",
        "Content-Type: \r\n",
        "Content-Type: nonsense\r\n",
        "Content-Type: text/plain; x=" + '"' * 3_000 + "\r\n",
        "Content-Type: multipart/mixed\r\n",
        'Content-Type: multipart/mixed; boundary="\\b"\r\n',
        "Content-Type: multipart/mixed; boundary=gr\u00fcn\r\n",
        "Content-Type: multipart/mixed; boundary=other\r\n",
    ],
)
def test_what_cannot_be_read_for_sure_leaves_without(fields: str) -> None:
    content = f"{MIME}{fields}\r\n--b\r\n\r\nx\r\n--b--\r\n".encode()
    assert footed(content) is None


def test_a_multipart_that_never_ends_leaves_without_and_soon() -> None:
    head = f"{MIME}Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    assert footed(f"{head}--b\r\n\r\nx\r\n".encode()) is None
    assert footed(f"{head}--b--\r\n".encode()) is None
    false = "--b--x\r\n" * LOOKS_MAX
    assert footed(f"{head}--b\r\n{false}--b--\r\n".encode()) is None


def test_flowed_lines_stay_what_they_are() -> None:
    content = plain("utf-8", "8bit", b"one \r\nparagraph\r\n", "; format=flowed")
    words = "-- \n> no quote\n from here\nFrom there"
    found = footed(content, words)
    assert found is not None and found.endswith(b"\r\n\r\n-- \r\n > no quote\r\n  from here\r\n From there\r\n")


def test_dots_and_sums() -> None:
    content = b"Content-MD5: x\r\nContent-Length: 3\r\nLines: 1\r\nSubject: x\r\n\r\n.\r\n"
    assert footed(content, ".\n.") == b"Subject: x\r\n\r\n.\r\n\r\n.\r\n.\r\n"


def test_no_boundary_of_ours_is_taken_twice() -> None:
    content = f"{MIME}Content-Type: text/html\r\n\r\n<p>\r\n".encode()
    once = footed(content)
    twice = footed(once.replace(b"multipart/mixed", b"multipart/related")) if once else None
    assert len(list(read(twice).iter_parts())) == 2 and len(list(read(twice).walk())) == 5


def test_no_footer_makes_parts_of_its_own() -> None:
    wrapped = footed(f"{MIME}Content-Type: text/html\r\n\r\n<p>\r\n".encode(), "--=_footer.0\n\nhello\n--=_footer.0--")
    assert len(list(read(wrapped).iter_parts())) == 2
    assert footed(MIXED.encode(), "--b b--") is None


@given(st.binary(max_size=300), st.binary(max_size=300), st.sampled_from(["Content-Type: ", "", MIME]))
@example(b"multipart/mixed; boundary=", b"----\r\n", "Content-Type: ")
@example(b"text/plain\r\nContent-Transfer-Encoding: base64", b"A", "Content-Type: ")
def test_nothing_breaks_it(head: bytes, text: bytes, opening: str) -> None:
    content = opening.encode() + head + b"\r\n\r\n" + text + b"\r\n"
    found = foot(*split_message(content), GREEN)
    if found is not None:
        assert found.block.endswith(b"\r\n\r\n") and found.end(GREEN).endswith(b"\r\n")
        assert found.text.endswith(b"\r\n") or not found.text
        assert found.end(GREEN).isascii() or not (found.block + found.text).isascii()


LINES = st.lists(st.text(st.sampled_from("ab \t.-üж"), max_size=12), max_size=6).map("\r\n".join)


@settings(max_examples=60)
@given(LINES, LINES, st.sampled_from(["utf-8", "iso-8859-1"]), st.sampled_from(["8bit", "quoted-printable", "base64"]))
def test_a_text_hashed_in_two_pieces_is_the_text_hashed_whole(
    text: str, words: str, charset: str, encoding: str
) -> None:
    message = EmailMessage(policy=email.policy.SMTP)
    message.set_content(text.encode(charset, "replace").decode(charset), charset=charset, cte=encoding)
    words = f"-- \n{words}".replace("\r\n", "\n").rstrip()
    found = foot(*split_message(message.as_bytes().removesuffix(b"\r\n") + b"\r\n"), words)
    assert found is not None
    pieces = hash_message(found.block, found.text, goes_on=True).body
    end = found.end(words)
    pieces.update(dkim.canonicalization.Relaxed.canonicalize_body(end))
    whole = dkim.canonicalization.Relaxed.canonicalize_body(found.text + end)
    alone = hash_message(found.block, b"").body
    alone.update(whole)
    assert pieces.digest() == alone.digest()

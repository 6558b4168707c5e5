"""Eight-bit mail for seven-bit hosts: readers see the same."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage, Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.sevenbit import has_long_lines, to_seven_bits

HEAD = "From: bob@fabric.test\r\nMIME-Version: 1.0\r\n"


def read(content: bytes) -> list[tuple[str, str, bytes]]:
    whole = email.message_from_bytes(content, policy=email.policy.SMTP)
    return [(p.get_content_type(), str(p.get_content_charset()), _payload(p)) for p in whole.walk()]


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload.replace(b"\r\n", b"\n") if isinstance(payload, bytes) else b""


def plain(text: str, encoding: str = "8bit") -> bytes:
    fields = f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return (fields + text).encode()


def test_text_becomes_quoted_printable() -> None:
    made = to_seven_bits(HEAD.encode() + plain("Grüße = 1\r\n.\r\nlang " + "ß" * 200 + " \r\n"))
    assert made is not None and made.isascii()
    assert made.count(b"Content-Transfer-Encoding:") == 1
    assert max(map(len, made.split(b"\r\n"))) <= 76
    assert read(made) == read(HEAD.encode() + plain("Grüße = 1\r\n.\r\nlang " + "ß" * 200 + " \r\n"))


def test_parts_are_encoded_where_they_need_it() -> None:
    letter = EmailMessage(policy=email.policy.SMTP.clone(cte_type="8bit"))
    letter.set_content("grün\n", cte="8bit")
    letter.add_alternative("<p>grün</p>\n", subtype="html", cte="8bit")
    letter.add_attachment("nur ASCII\n", cte="7bit")
    inner = EmailMessage(policy=letter.policy)
    inner.set_content("innen: größer\n", cte="8bit")
    letter.add_attachment(inner)
    content = letter.as_bytes()
    made = to_seven_bits(content)
    assert not content.isascii() and made is not None and made.isascii()
    assert read(made) == read(content)
    assert b"nur ASCII" in made


def test_what_another_signed_stays() -> None:
    signed = HEAD + "Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\nü\r\n--x--\r\n"
    assert to_seven_bits(signed.encode()) is None
    assert to_seven_bits(HEAD.encode() + plain("ü", "base64")) is None


def test_a_header_beyond_ascii_is_said_in_ascii_at_any_depth() -> None:
    inner = "Content-Type: message/rfc822\r\n\r\nSubject: ünter\r\n\r\nö\r\n"
    whole = f"{HEAD}Content-Type: multipart/mixed; boundary=x\r\nSubject: Grüße\r\n\r\n--x\r\n{inner}\r\n--x--\r\n"
    made = to_seven_bits(whole.encode())
    assert made is not None and made.isascii()
    read_again = email.message_from_bytes(made, policy=email.policy.SMTP)
    (part,) = read_again.iter_parts()
    assert (read_again["subject"], part.get_content()["subject"]) == ("Grüße", "ünter")
    assert to_seven_bits("Subject: ü\r\n\r\nx\r\n".encode()) == b"Subject: =?utf-8?b?w7w=?=\r\n\r\nx\r\n"


PIECES = st.sampled_from(["--x\r\n", "--x--\r\n", "ü\r\n", "\r\n", "Content-Type: text/plain\r\n", "a", "=3D \r\n"])


@given(st.lists(PIECES, max_size=25).map("".join))
def test_any_multipart_is_made_ascii_or_refused(text: str) -> None:
    made = to_seven_bits((HEAD + 'Content-Type: multipart/mixed; boundary="x"\r\n\r\n' + text).encode())
    assert made is None or made.isascii()


@given(st.text(alphabet="ü =\tx.\n", max_size=300))
def test_any_text_survives(text: str) -> None:
    content = HEAD.encode() + plain(text.replace("\n", "\r\n"))
    made = to_seven_bits(content)
    assert made is not None and made.isascii() and read(made) == read(content)


@pytest.mark.parametrize(
    "text", [b"x" * 3_000 + b"\r\n", b"a\r\n" + "äöü ".encode() * 300, b"a\r\n" * 900 + b"x" * 1001]
)
def test_long_lines_are_written_so_that_every_host_takes_them(text: bytes) -> None:
    head = b"Subject: long\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    assert has_long_lines(head + text)
    made = to_seven_bits(head + text)
    assert made is not None and made.isascii() and not has_long_lines(made)
    assert _payload(email.message_from_bytes(made)) == text.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("text", [b"x" * 998 + b"\r\n", b"", (b"y" * 998 + b"\r\n") * 3 + b"x"])
def test_lines_that_every_host_takes_stay(text: bytes) -> None:
    assert not has_long_lines(text) and to_seven_bits(text) == text

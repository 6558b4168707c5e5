"""The first look of SEARCH against the thorough one: it may only ever spare work."""

from __future__ import annotations

import base64
import quopri

from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_host.imap.commands import And, Key, Not, Or
from mailbox_host.imap.decoding import decode_header
from mailbox_host.imap.quick import quick
from mailbox_host.imap.search_text import body_texts, header_values
from mailbox_host.imap.sections import Content

WORDS = st.text("abAB \tß=_ſ", min_size=1, max_size=8)


@given(
    WORDS, WORDS, st.sampled_from(["plain", "qp", "base64", "word"]), st.sampled_from(["utf-8", "latin-1", "utf-16"])
)
@settings(deadline=None)
def test_no_is_certain(text: str, wanted: str, encoding: str, charset: str) -> None:
    octets = (text + "\n " + text).encode(charset, "replace")
    subject = text.encode("utf-8").replace(b"\t", b"\r\n\t")
    if encoding == "word":
        subject = b"=?utf-8?b?" + base64.b64encode(text.encode()) + b"?="
    body = {"qp": quopri.encodestring, "base64": base64.encodebytes}.get(encoding, bytes)(octets)
    name = {"qp": b"Quoted-Printable", "base64": b"BASE64"}.get(encoding, b"8bit")
    header = b"Subject: " + subject + b"\r\nContent-Type: text/plain; charset=" + charset.encode() + b"\r\n"
    header += b"Content-Transfer-Encoding: " + name + b"\r\n\r\n"
    content = Content(header, body)
    folded = wanted.casefold()
    in_subject = any(folded in decode_header(value).casefold() for value in header_values(header, "subject"))
    in_body = any(folded in found for found in body_texts(content))
    if in_subject:
        assert quick(Key("HEADER", ("subject", folded)))(header, b"")
        assert quick(Or(Key("HEADER", ("from", "zz")), Key("HEADER", ("subject", folded))))(header, b"")
        assert quick(And((Key("HEADER", ("subject", folded)), Key("ALL"))))(header, body)
    if in_body:
        assert quick(Key("BODY", folded))(header, body)
        assert quick(Key("TEXT", folded))(header, body)


def test_what_is_spared() -> None:
    header = b"Subject: one two\r\nFrom: fred@example.org\r\n\r\n"
    assert not quick(Key("HEADER", ("subject", "three")))(header, b"")
    assert not quick(And((Key("HEADER", ("subject", "one")), Key("HEADER", ("from", "joe")))))(header, b"")
    assert quick(Not(Key("HEADER", ("subject", "three"))))(header, b"")
    assert quick(Key("HEADER", ("subject", "three")))(b"Subject: =?utf-8?q?x?=\r\n\r\n", b"")
    assert not quick(Key("BODY", "harbour"))(header, b"the quay\r\n")
    quoted = b"Content-Transfer-Encoding: Quoted-Printable\r\n\r\n"
    assert quick(Key("BODY", "harbour"))(quoted, b"har=\r\nbo=75r\r\n")
    assert not quick(Key("BODY", "quay"))(quoted, b"har=\r\nbo=75r\r\n")
    several = b"Content-Type: Multipart/Mixed; boundary=x\r\n\r\n"
    part = b"--x\r\nContent-Transfer-Encoding: Base64\r\n\r\naGFyYm91cg==\r\n--x--\r\n"
    assert quick(Key("BODY", "harbour"))(several, part)
    assert quick(Key("BODY", "harbour"))(b"Content-Type: Message/RFC822\r\n\r\n", part[5:])
    assert not quick(Key("BODY", "harbour"))(header, part)  # words about an encoding, and nothing in it

"""The words of headers against a thorough look at each: what SEARCH finds by them, and only that."""

from __future__ import annotations

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_host.imap.commands import And, Key, Not, Or
from mailbox_host.imap.decoding import decode_header
from mailbox_host.imap.header_words import FIELDS, field_keys, field_of, words_of
from mailbox_host.imap.search_text import header_values

TEXTS = st.text("aAbB \t=_ßſ()\n\x1f", max_size=12)


def matches(key: Key, header: bytes) -> bool:
    asked = field_of(key)
    assert asked is not None
    lines = words_of(header).split(b"\n")
    assert len(lines) == len(FIELDS)
    return asked[1] in lines[asked[0]]


@given(TEXTS, TEXTS, st.text("aAbB \tßſ", min_size=1, max_size=4), st.sampled_from(FIELDS), st.booleans())
@settings(deadline=None)
def test_words_find_what_the_field_holds(text: str, other: str, wanted: str, field: str, encoded: bool) -> None:
    plain = text.encode().replace(b"\n", b"\r\n ")
    value = b"=?utf-8?b?" + base64.b64encode(text.encode()) + b"?=" if encoded else plain
    rest = b"".join(name.encode() + b": " + other.encode().replace(b"\n", b"") + b"\r\n" for name in FIELDS)
    header = field.title().encode() + b": " + value + b"\r\n" + rest + b"\r\n"
    blank = wanted.casefold().replace("\t", " ")
    decoded = [decode_header(found).casefold() for found in header_values(header, field.lower())]
    in_field = any(blank in "".join(" " if char < " " else char for char in found) for found in decoded)
    found = matches(Key(field, wanted.casefold()), header)
    assert found if in_field else not found or "(" in text + other  # without its comment it may be found


def test_a_field_is_found_unfolded_decoded_in_any_case_and_without_its_comments() -> None:
    header = (
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?q?_aus?=\r\n Kiel\r\nTo: a@example.org\r\n"
        b"Cc: b@example.org\r\nCC: c@example.org\r\nFrom: fred (the\r\n baker) @example.org\r\n\r\n"
    )
    found = [("SUBJECT", "grüsse aus kiel"), ("FROM", "fred@example"), ("FROM", "the baker"), ("CC", "c@example.org")]
    for name, wanted in found:
        assert matches(Key(name, wanted.casefold()), header), (name, wanted)
        assert matches(Key("HEADER", (name.lower(), wanted.casefold())), header), (name, wanted)
    for name, wanted in [
        ("FROM", "kiel"),
        ("BCC", "example"),
        ("TO", "b@example.org"),
        ("CC", "org\x1fc"),
        ("TO", "org\nb"),
    ]:
        assert not matches(Key(name, wanted), header), (name, wanted)


def test_what_the_words_do_not_decide() -> None:
    assert field_of(Key("SUBJECT", "")) is None  # asks for the field itself
    assert field_of(Key("HEADER", ("message-id", "x"))) is None
    assert field_of(Key("BODY", "x")) is None
    subject, to = Key("SUBJECT", "x"), Key("HEADER", ("to", "y"))
    assert field_keys(Or(Not(subject), And((Key("SEEN"), to, Key("TEXT", "z"))))) == [subject, to]

"""Messages from the wild and from malice: shown octet for octet, described in well-formed IMAP, and searched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mail.transfer import decode_transfer
from mailbox_host.header_cuts import cut
from mailbox_host.imap.decoding import decode_header
from tests.mailbox_host import imap_answers

ALL = "(ENVELOPE BODY BODYSTRUCTURE RFC822.SIZE BODY.PEEK[HEADER] BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[2.HEADER])"

HAND_MADE = [
    b"",
    b"\r\n",
    b"no header at all",
    b"From: <\r\nTo: \"\r\nMessage-ID: <>\r\nSender: :;.\r\n\r\n",
    b"Content-Type: multipart/mixed\r\n\r\n--\r\n--x--\r\n",
    b"Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\nx\r\n----\r\n",
    b"Content-Type: message/rfc822\r\n\r\n" * 200 + b"x",
    b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(200)),
    b"Content-Type: a=\"" + b";" * 60_000 + b"\r\n\r\n",
    b"To: " + b"," * 60_000 + b"\r\n\r\n",
    b"To: " + b'"a" ' * 20_000 + b"\r\n\r\n",
    b"Subject: " + b"=?utf-8?q?=C3?=" * 5_000 + b"\r\n\r\n",
    b"Subject: =?punycode?b?" + b"eHh4" * 5_000 + b"?=\r\n\r\n",
    b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"x-" * 50_000,
    b"Content-Type: text/plain; name*0*=utf-8''%e2; name*1=x\r\nContent-Transfer-Encoding: base64\r\n\r\n====\r\n",
    b"X: \x00\xff\r\n\tfold\r\nSubject: a\rb\nc\r\n\r\n\x00\xff\r\n",
    b"Subject: \xe4\r\nDate: " + b"9" * 1000 + b"\r\n\r\n\xff\xfe",
    b"(" * 60_000 + b":\r\n\r\n",
]  # fmt: skip


def stored_messages() -> list[bytes]:
    folder = os.environ.get("HELIOGRAPH_DATA")
    return [path.read_bytes() for path in sorted(Path(folder).rglob("*.eml"))] if folder else []


def check(client, content: bytes) -> None:
    uid = client.file(content)
    client("a NOOP")
    for peeked in ("BODY.PEEK[]", ALL):
        # our lines are split at CRLF and joined again: what was there is there
        answer = "\r\n".join([*client(f"b UID FETCH {uid} {peeked}"), ""]).encode("utf-8", "surrogateescape")
        assert imap_answers.read(answer).last == b"OK"
        if peeked == "BODY.PEEK[]":
            assert content in answer
    for keys in ("TEXT qzxjkvq", "FROM qzxjkvq", "SENTBEFORE 1-Jan-1900", "HEADER X qzxjkvq"):
        assert client(f"c UID SEARCH UID {uid} {keys}") == ["* SEARCH", "c OK Done"]


@pytest.mark.parametrize("content", HAND_MADE[1:])
def test_torture(talk, content):
    client = talk()
    client("a SELECT INBOX")
    check(client, content)


def test_messages_from_the_wild(talk):
    messages = stored_messages()
    if not messages:
        pytest.skip("HELIOGRAPH_DATA names no folder with messages")
    client = talk()
    client("a SELECT INBOX")
    for content in messages:
        check(client, content)


PIECES = st.sampled_from(
    [
        b"\r\n", b"\n", b"\r", b"--x", b"--x--", b"Content-Type: multipart/mixed; boundary=x\r\n", b"Subject: ", b" ",
        b"Content-Type: message/rfc822\r\n", b"Content-Transfer-Encoding: base64\r\n", b'"', b"(", b")", b"\\", b"<",
        b"=?utf-8?b?", b"?=", b"{5}\r\n", b"\x00", b"\xff", b"From: ", b"@", b",", b":", b";", b"=", b"a",
    ]
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=40))
def test_any_message_is_shown(talk, pieces):
    client = talk()
    client("a SELECT INBOX")
    check(client, b"".join(pieces))


@given(st.binary(max_size=300))
def test_decoding_never_raises(octets):
    decode_header(octets)
    for encoding in ("base64", "quoted-printable", "x-uu"):
        decode_transfer(octets, encoding)


def test_encoded_words():
    assert decode_header(b"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b_c=E4?=\r\n d") == "ab cä d"
    assert decode_header(b"=?utf-8?B?w6Q?= =?x?q") == "ä =?x?q"
    assert decode_header(b"=?US-ASCII*EN?Q?Keith?=") == "Keith"


def test_header_fields_as_they_stand():
    block = b"A: 1\r\n\tfolded\r\nBB : 2\r\na: 3\r\nC: 4\r\n\r\n"
    assert cut(block, frozenset((b"A", b"BB"))) == b"A: 1\r\n\tfolded\r\nBB : 2\r\na: 3\r\n\r\n"
    assert cut(block, frozenset((b"A", b"BB")), others=True) == b"C: 4\r\n\r\n"
    assert cut(block, frozenset((b"X",))) == b"\r\n"

"""BINARY (RFC 3516), PREVIEW (RFC 8970), messages in UTF-8 (RFC 6855), and what a failed search leaves (RFC 5182)."""

from __future__ import annotations

import asyncio
import base64
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.transfer import decode_transfer
from mailbox_host import accounts
from mailbox_host.bell import Bell
from mailbox_host.imap import ImapServer, Settings, settings
from mailbox_host.imap.previews import preview
from mailbox_host.imap.reencoding import without_nul
from mailbox_host.mime import scan
from mailbox_host.passwords import PasswordChecker, hash_password
from mailbox_host.tables import MIGRATIONS
from store import Store, StoreFull
from store.bodies import MIGRATION as STORE_MIGRATION

PICTURE = bytes(range(256))
MIXED = (
    b"Subject: two\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe="
    b"\r\n!\r\n--x\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(PICTURE).replace(b"\n", b"\r\n")
    + b"--x\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nM1234\r\n--x--\r\n"
)
RAW = (
    b"Subject: raw\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n"
    b"Content-Transfer-Encoding: binary\r\n\r\n--x\r\n\r\nplain\r\n--x\r\nContent-Type: image/png\r\n"
    b"Content-Transfer-Encoding:\r\n binary\r\nContent-Id: <a@b>\r\n\r\n" + PICTURE + b"\r\n--x--\r\n"
)


@pytest.fixture
def client(talk):
    client = talk()
    client.file(MIXED)
    client("0 SELECT INBOX")
    return client


def fetched(client, items):
    """What one message answers, as octets."""
    lines = client(f"f FETCH 1 ({items})")
    assert lines[-1] == "f OK Done", lines
    return "\r\n".join(lines[:-1]).encode("utf-8", "surrogateescape").removeprefix(b"* 1 FETCH (").removesuffix(b")")


def append(client, content, mark="{%d+}", around="%s"):
    head, tail = (around % (mark % len(content) + "\r\n%s")).split("%s")
    return client(b"a APPEND INBOX " + head.encode() + content + tail.encode() + b"\r\n")[-1]


def test_a_part_comes_decoded(client):
    text = "Grüße!".encode()
    assert fetched(client, "BINARY.PEEK[1]") == b"BINARY[1] {8}\r\n" + text
    assert fetched(client, "BINARY.PEEK[1]<2.4>") == b"BINARY[1]<2> {4}\r\n" + text[2:6]
    assert fetched(client, "BINARY.PEEK[2]") == b"BINARY[2] ~{256}\r\n" + PICTURE
    assert fetched(client, "BINARY.PEEK[2]<65.3>") == b'BINARY[2]<65> "ABC"'
    assert fetched(client, "BINARY.PEEK[2]<1000.3>") == b'BINARY[2]<1000> ""'
    assert fetched(client, "BINARY.SIZE[1] BINARY.SIZE[2]") == b"BINARY.SIZE[1] 8 BINARY.SIZE[2] 256"
    assert fetched(client, "BINARY.PEEK[9] BINARY.SIZE[9]") == b"BINARY[9] NIL BINARY.SIZE[9] 0"
    assert fetched(client, "BINARY.PEEK[]") == b"BINARY[] {%d}\r\n" % len(MIXED) + MIXED
    assert fetched(client, "BINARY.SIZE[]") == b"BINARY.SIZE[] %d" % len(MIXED)


def test_white_space_at_the_ends_of_lines_is_none(client):
    """RFC 2045 6.7, rules 3 and 5."""
    fields = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    client.file(fields + b"foo= \t\r\nbar \t \r\nbaz=20 \r\n")
    client("a NOOP")
    assert client("b FETCH 2 BINARY.PEEK[1]")[:-1] == ["* 2 FETCH (BINARY[1] {14}", "foobar", "baz ", ")"]
    assert client("c SEARCH BODY foobar")[0] == "* SEARCH 2"


def test_only_reading_a_part_marks_it_seen(client):
    assert fetched(client, "BINARY.SIZE[1] BINARY.PEEK[1]<0.1> FLAGS").endswith(b"FLAGS (\\Recent)")
    assert fetched(client, "BINARY[1]<0.1>").endswith(b"FLAGS (\\Seen \\Recent)")


def test_an_encoding_that_nobody_knows_fails_the_fetch(client):
    assert client("a FETCH 1 BINARY.PEEK[3]")[-1].startswith("a NO [UNKNOWN-CTE]")
    assert client("b FETCH 1 BINARY.SIZE[3]")[-1].startswith("b NO [UNKNOWN-CTE]")
    assert fetched(client, "BODY.PEEK[3]") == b'BODY[3] "M1234"'
    assert client("c FETCH 1 FLAGS")[-1] == "c OK Done"  # and nothing else


@pytest.mark.parametrize(
    "bad", ["BINARY", "BINARY[TEXT]", "BINARY[1.HEADER]", "BINARY[0]", "BINARY.SIZE[1]<0.1>", "PREVIEW (SLOW)"]
)
def test_what_is_no_item(client, bad):
    assert client(f"a FETCH 1 {bad}")[-1].startswith("a BAD")


def test_a_binary_part_is_kept_in_base64(client):
    assert append(client, RAW, "~{%d+}").startswith("a OK [APPENDUID")
    lines = client("b FETCH 2 (BINARY.PEEK[2] BODY.PEEK[2.MIME])")
    answer = "\r\n".join(lines).encode("utf-8", "surrogateescape")
    assert b"BINARY[2] ~{256}\r\n" + PICTURE in answer
    assert b"Content-Transfer-Encoding: base64\r\nContent-Id: <a@b>\r\n" in answer
    assert "\0" not in "".join(client("c FETCH 2 BODY.PEEK[]"))
    assert "8bit" in "".join(client("d FETCH 2 BODY.PEEK[HEADER]"))


def test_nul_that_nobody_announced_is_refused(client):
    assert append(client, b"Subject: x\r\n\r\na\0b\r\n", "~{%d+}").startswith("a NO [UNKNOWN-CTE]")
    assert append(client, b"Subj\0ect: x\r\nContent-Transfer-Encoding: binary\r\n\r\na\0b", "~{%d}").startswith(
        "a NO [UNKNOWN-CTE]"
    )
    assert client("b NOOP")[-1] == "b OK Done"
    assert len(client("c SEARCH ALL")[0].split()) == 3  # nothing came in but what was there


def test_literal8_without_nul_is_kept_as_it_is(client):
    assert append(client, MIXED, "~{%d+}").startswith("a OK")
    assert client("b SEARCH UID 1:*")[0] == "* SEARCH 1 2"
    assert client("c FETCH 2 EMAILID")[0] == client("d FETCH 1 EMAILID")[0].replace("* 1", "* 2")


@given(st.binary(max_size=300), st.booleans())
def test_what_was_binary_decodes_to_what_came(octets, nested):
    head = b"Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    message = head + b"\0" + octets
    if nested:
        message = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n" + message
    written = without_nul(message)
    assert written is not None and b"\0" not in written
    part = scan(written)
    part = part.message or part
    assert decode_transfer(part.body(written), part.encoding) == b"\0" + octets


def test_a_message_in_utf8_is_brought_by_who_asked_for_it(talk):
    content = "From: Jürgen <jürgen@müller.example>\r\nSubject: Grüße\r\n\r\nx\r\n".encode()
    client = talk()
    assert append(client, content, "~{%d+}", "UTF8 (%s)").startswith("a BAD [CLIENTBUG]")
    client("b ENABLE UTF8=ACCEPT")
    assert append(client, content, "~{%d+}", "(\\Seen) UTF8 (%s)").startswith("a OK [APPENDUID")
    assert append(client, content, "~{%d+}", "utf8 (%s)").startswith("a OK [APPENDUID")
    assert append(client, content, "{%d+}", "UTF8 (%s)").startswith("a BAD")
    client("c SELECT INBOX")
    assert fetched(client, "BODY.PEEK[]") == b"BODY[] {%d}\r\n" % len(content) + content
    assert client('d SEARCH FROM "jürgen@müller.example"')[0] == "* SEARCH 1 2"


def test_several_messages_of_one_append_are_bounded_together(talk):
    client = talk()
    most = client.session.append_octets_max
    assert client(f"a APPEND INBOX {{{most - 10}}}") == ["+ go"]
    answer = client(b"x" * (most - 10) + b" {11}\r\n")
    assert answer == ["a NO [TOOBIG] Literal too large"]  # before it is asked for
    assert client("b STATUS INBOX (MESSAGES)")[0] == '* STATUS "INBOX" (MESSAGES 0)'
    assert settings.LITERALS_MAX >= 1000


def test_a_preview_is_made_once_and_lazily_shown(client):
    assert fetched(client, "PREVIEW (LAZY)") == b"PREVIEW NIL"
    assert fetched(client, "PREVIEW") == b"PREVIEW {8}\r\n" + "Grüße!".encode()
    assert fetched(client, "PREVIEW (LAZY) FLAGS") == b"PREVIEW {8}\r\n" + "Grüße!".encode() + b" FLAGS (\\Recent)"
    client.file(b"Subject: empty\r\n\r\n")
    client("a NOOP")
    assert client("b UID FETCH 2 (PREVIEW UID)")[0] == '* 2 FETCH (PREVIEW "" UID 2)'
    assert client("c FETCH 2 PREVIEW (LAZY)")[0] == '* 2 FETCH (PREVIEW "")'


def html(text, charset="utf-8", encoding="8bit"):
    fields = f"Content-Type: text/html; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return fields.encode() + text.encode(charset)


def parts(kind, *some):
    inner = b"".join(b"--x\r\n" + part + b"\r\n" for part in some)
    return b"Content-Type: multipart/" + kind + b"; boundary=x\r\n\r\n" + inner + b"--x--\r\n"


TEXT = b"Content-Type: text/plain\r\n\r\nplain words"
EMPTY = b"Content-Type: text/plain\r\n\r\n \r\n"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"Subject: s\r\n\r\n  Hello\r\n\r\n there\t you\r\n", "Hello there you"),
        (b"Subject: s\r\n\r\n" + b"word " * 100, ("word " * 40).strip()),
        (b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "ü".encode() * 300, "ü" * 200),
        (html("<p>Grüße,<br>Anna</p>", "iso-8859-1"), "Grüße, Anna"),
        (html("<html><head><title>T</title><style>p {color: red}</style></head><body>B&amp;B <b>b</b>old"), "B&B bold"),
        (html("a<!-- <p>no</p> -->b<script>if (a<b) c()</script>c"), "ab c"),
        (html("a &lt; b<p>c"), "a < b c"),
        (html("<head><style>x</style><body>nobody closed the head"), "nobody closed the head"),
        (html("<!--[if mso]><table>never"), ""),
        (html("<body>\u200b\u034f \u00adpad"), "pad"),
        (parts(b"alternative", html("<p>rich"), TEXT), "plain words"),
        (parts(b"alternative", EMPTY, html("<p>rich")), "rich"),
        (parts(b"mixed", b"Content-Disposition: attachment\r\n" + TEXT, html("shown")), "shown"),
        (parts(b"mixed", html("outer"), b"Content-Type: message/rfc822\r\n\r\n" + TEXT), "outer"),
        (b"Content-Type: image/png\r\n\r\nxx", ""),
        (b"Subject: s\r\n\r\na\0b\x1b[2J\x07c", "a b [2J c"),
    ],
)
def test_previews(message, words):
    assert preview(message) == words


@given(st.binary(max_size=400))
def test_a_preview_is_made_of_anything(octets):
    for message in (octets, b"Content-Type: text/html\r\n\r\n" + octets):
        assert len(preview(message)) <= 200


@pytest.mark.parametrize("unit", ["<", "<!--", "<style", "<style>", "&", "</", "<a ", "<p>", "\0"])
def test_no_markup_makes_a_preview_slow(unit):
    message = html(unit * (131072 // len(unit)))
    start = time.process_time()
    preview(message)
    assert time.process_time() - start < 2.0  # linear: some 50 ms


def test_large_messages_are_read_at_their_beginning(talk):
    client = talk()
    client.file(parts(b"mixed", TEXT, b"Content-Type: application/x\r\n\r\n" + b"y" * 3_000_000))
    client("a SELECT INBOX")
    assert fetched(client, "PREVIEW") == b'PREVIEW "plain words"'


def test_a_search_that_fails_leaves_nothing_saved(client):
    client("a SEARCH RETURN (SAVE) ALL")
    assert client("b FETCH $ UID") == ["* 1 FETCH (UID 1)", "b OK Done"]
    assert client("c SEARCH CHARSET x-none ALL")[-1].startswith("c NO [BADCHARSET")  # it would have saved nothing
    assert client("d SEARCH RETURN (SAVE) BOGUS")[-1].startswith("d BAD")  # RFC 5182 2.1: BAD changes nothing
    assert client("e FETCH $ UID")[0] == "* 1 FETCH (UID 1)"
    assert client("f SEARCH RETURN (SAVE) CHARSET x-none ALL")[-1].startswith("f NO [BADCHARSET")
    assert client("g FETCH $ UID") == ["g OK Done"]


def test_a_search_that_breaks_leaves_nothing_saved(client, monkeypatch):
    client("a SEARCH RETURN (SAVE) ALL")
    monkeypatch.setattr("mailbox_host.imap.search.find", breaking)
    assert client("b SEARCH RETURN (SAVE) ALL")[-1].startswith("b NO [UNAVAILABLE]")
    assert len(client.session.selected.saved) == 0


def breaking(*arguments):
    yield b""
    raise StoreFull


class Wire:
    """A client at a real server, that reads octets as they are announced."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, command: bytes) -> list[bytes]:
        """Return the answer's lines, each with its literals."""
        self.writer.write(command + b"\r\n")
        lines: list[bytes] = []
        while not lines or not lines[-1].startswith(command.split()[0] + b" "):
            line = await self.reader.readline()
            while literal := re.search(rb"\{([0-9]+)\}\r\n\Z", line):
                line += await self.reader.readexactly(int(literal[1])) + await self.reader.readline()
            assert line, lines
            lines.append(line)
        return lines


async def test_a_picture_goes_there_and_back_unencoded(tmp_path):
    store = Store(tmp_path / "wire.db", [STORE_MIGRATION, *MIGRATIONS])
    store.write_now(lambda tx: accounts.add(tx, "alice", hash_password(b"secret"), 1e9))
    passwords = PasswordChecker(threads=1)
    server = ImapServer(store, Bell(), passwords, Settings("fabric.test", "host-1"))
    wire = Wire(*await asyncio.open_connection("127.0.0.1", await server.serve("127.0.0.1", 0)))
    assert b"IMAP4rev1 IMAP4rev2 LITERAL+" in await wire.reader.readline()
    (answer,) = await wire.ask(b"a LOGIN alice secret")
    assert {b"BINARY", b"PREVIEW", b"UTF8=ACCEPT"} <= set(answer.split(b"]")[0].split())
    assert b"* ENABLED IMAP4rev2\r\n" in await wire.ask(b"b ENABLE IMAP4rev2")
    await wire.ask('c CREATE "Bücher/Café"'.encode())
    assert (await wire.ask('d SELECT "Bücher/Cafe\u0301"'.encode()))[-2:] == [
        '* LIST () "/" "Bücher/Café" ("OLDNAME" ("Bücher/Cafe\u0301"))\r\n'.encode(),
        b"d OK [READ-WRITE] Done\r\n",
    ]
    appended = await wire.ask('e APPEND "Bücher/Café" ~{%d+}\r\n'.encode() % len(RAW) + RAW)
    assert appended[-1].startswith(b"e OK [APPENDUID ")
    fetched = await wire.ask(b"f FETCH 1 (BINARY.PEEK[2] PREVIEW FLAGS)")
    assert fetched[0] == b"* 1 FETCH (BINARY[2] ~{256}\r\n" + PICTURE + b' PREVIEW "plain" FLAGS ())\r\n'
    assert await wire.ask(b"g UID SEARCH ALL") == [b'* ESEARCH (TAG "g") UID ALL 1\r\n', b"g OK Done\r\n"]
    wire.writer.close()
    await server.close()
    passwords.close()
    store.close()

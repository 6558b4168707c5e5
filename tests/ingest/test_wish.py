"""What a person's mail asks for, whatever her mail program made of it."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.names import FabricNames
from ingest.errands import errands_of, lines_of
from ingest.wish import Wish, read_wishes
from mail.envelope import Arrival
from mail.headers import Headers, split_message
from mail.words import subject_of, text_of, words_of_html

URL = "https://blog.example/feed"


def of(content: str | bytes):
    octets = content.replace("\n", "\r\n").encode() if isinstance(content, str) else content
    return errands_of(lines_of(Arrival("a@b.example", octets, 0)), FabricNames("fabric.test", 64)).wishes


PACKED = [base64.b64encode(part.encode()).decode() for part in (URL, URL[:9], URL[9:])]
PLAIN_AND_HTML = (
    'Content-Type: multipart/alternative; boundary="b"\n\n'
    f"--b\nContent-Type: text/plain\n\n{URL}\n"
    "--b\nContent-Type: text/html\n\n<a href=https://other.example/>x</a>\n--b--\n"
)
NESTED = (
    "Content-Type: multipart/mixed; boundary=o\n\n"
    f"--o\nContent-Type: multipart/alternative; boundary=i\n\n--i\n\n{URL}\n--i--\n--o--\n"
)


@pytest.mark.parametrize(
    "content",
    [
        f"Subject: {URL}\n\n",
        f"Subject: follow {URL}.\n\n",
        f"Subject: =?utf-8?q?{URL}?=\n\n",
        f"Subject: =?utf-8?b?{PACKED[1]}?=\n =?utf-8?B?{PACKED[2]}?=\n\n",
        f"\n\n\n  <{URL}>  \n",
        f"\nPlease follow {URL}, thank you!\n",
        f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n{PACKED[0]}\n",
        "Content-Transfer-Encoding: quoted-printable\n\nhttps://blog.exam=\nple/fe=65d\n",
        f"Content-Type: text/html\n\n<html><head><title>https://no.example/</title></head><p>{URL}</p>\n",
        f"Content-Type: text/html\n\n<p><a href='{URL}'>my blog</a></p>\n",
        PLAIN_AND_HTML,
        NESTED,
        f"\nfeed:{URL}\n",
        f"\n{URL}#comments\n{URL}\nHTTPS://BLOG.EXAMPLE:443/feed\n",
        f"\n{URL}\n-- \nhttps://signature.example/\n",
        f"\n{URL}\n> https://quoted.example/\n",
    ],
)
def test_one_address_in_every_shape(content):
    assert of(content).good == (Wish(URL, "INBOX"),)


def test_folders():
    lines = ["https://a.example/", 'https://b.example/ folder="My News"', "folder=Blogs"]
    assert [wish.folder for wish in read_wishes(lines).good] == ["Blogs", "My News"]
    assert read_wishes(["https://a.example/ folder=" + "x" * 60]).good[0].folder == "INBOX"
    assert read_wishes(["https://a.example/?folder=x"]).good[0].folder == "INBOX"
    assert read_wishes(["https://a.example/ Folder = Žluté, please"]).good[0].folder == "Žluté"


def test_what_is_left_out_is_said():
    wishes = read_wishes([f"https://a.example/{n} ftp://a.example/{n}" for n in range(30)])
    assert len(wishes.good) == 20 and wishes.left_out == 10 and len(wishes.bad) == 20


def test_a_script_of_a_page_is_not_read():
    assert "x.example" not in words_of_html("<script>https://x.example/</script><style>https://x.example/</style>")
    assert words_of_html("<script>" * 5) == ""


@pytest.mark.parametrize(
    "content",
    [
        b"Content-Type: text/html\r\n\r\n" + b"<script>" * 30_000,
        b"Content-Type: text/html\r\n\r\n" + b"<" * 250_000,
        b"Content-Type: text/html\r\n\r\n" + b"<a " * 80_000,
        b"Content-Type: text/html\r\n\r\n" + b"&amp" * 60_000,
        b"Content-Type: multipart/mixed; boundary=-\r\n\r\n" + b"---\r\n" * 50_000,
        b'Content-Type: multipart/mixed; boundary="' + b"=" * 60_000 + b"\r\n\r\nx",
        b'Content-Type: a="' + b";" * 200_000 + b"\r\n\r\nx",
        b"Subject: " + b"=?utf-8?q?" * 20_000 + b"\r\n\r\nx",
        b"Subject: " + b"a:" * 100_000 + b"\r\n\r\n" + b"feed:" * 40_000,
        b"\r\n" + b"http" * 60_000 + b"://",
        b"\r\nfolder =" + b" " * 200_000,
    ],
)
@pytest.mark.timeout(5)
def test_nothing_takes_longer_than_reading_it(content):
    """Each takes milliseconds; a reader that is worse than linear meets the time-out."""
    of(content)


@given(st.binary(max_size=400))
def test_no_mail_surprises(content):
    for octets in (
        content,
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + content,
        b"Subject: " + content,
    ):
        wishes = of(octets)
        assert all(wish.url.isascii() for wish in wishes.good)


DATA = os.environ.get("HELIOGRAPH_DATA")


@pytest.mark.skipif(not DATA, reason="HELIOGRAPH_DATA names no folder with real messages")
def test_real_messages_are_read():
    read = 0
    for path in sorted((Path(str(DATA)) / "messages").iterdir()):
        content = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        subject_of(Headers.parse(split_message(content)[0]))
        read += bool(text_of(content).strip())
    assert read > 10

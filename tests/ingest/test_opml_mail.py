"""Lists of feeds by mail: followed whole, in their folders, and mailed back from all hosts."""

from __future__ import annotations

import contextlib
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.feeds import create
from ingest.opml import Outline, read_opml, write_opml
from ingest.opml_mail import FEEDS_MAX
from mail.control import FollowFeed, TellFollows
from mail.feed_control import GatherFeeds
from mail.gathering import Gathered, read, written
from mail.parts import parts_of
from tests.ingest.conftest import Host, Letter, MakeHost

FEEDS = [Outline("https://a.example/feed", "A", "News"), Outline("https://b.example/", "B"), Outline("ftp://c/", "C")]


def mail(*attached: tuple[str, str, bytes], subject: str = "", text: str = "", who: str = "alice") -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"], message["Message-ID"] = f"{who}@fabric.test", subject, "<q1@example>"
    if who == "alice":
        message["Heliograph-Authenticated"] = who
    message.set_content(text)
    for kind, name, content in attached:
        message.add_attachment(content, *kind.split("/"), filename=name)
    return message.as_bytes().replace(b"\n", b"\r\n")


def send(host: Host, content: bytes, signed_by: str = "host-1") -> None:
    assert host.receive(content, sender="alice@fabric.test", signed_by=signed_by).outcome.text


def asked_for(host: Host) -> set[tuple[str, str]]:
    mailed = {(each.url, each.folder) for each in host.controls if isinstance(each, FollowFeed)}
    return mailed | set(host.store.reader.all("SELECT url, folder FROM request"))


@pytest.fixture
async def two(make_host: MakeHost) -> Host:
    """One of two hosts, so that some feeds are another's."""
    host = await make_host(owners=("host-1", "host-2"))
    await host.poller.stop()
    return host


async def test_an_attached_list_is_followed_whole_and_answered_line_by_line(two: Host) -> None:
    send(two, mail(("text/x-opml", "feeds.opml", write_opml("Mine", FEEDS))))
    assert asked_for(two) == {("https://a.example/feed", "News"), ("https://b.example/", "INBOX")}
    (answer,) = two.answers
    assert "https://a.example/feed" in answer.text and "https://b.example/" in answer.text
    assert "ftp://c/" in answer.text and "only http and https" in answer.text
    rows = two.store.reader.all("SELECT asked_by FROM request")
    assert {row[0] for row in rows} <= {"<import@follow>"}  # nobody is welcomed two hundred times


@pytest.mark.parametrize("kind", ["application/xml", "application/octet-stream", "text/x-opml"])
async def test_its_type_does_not_matter_and_options_are_for_all_of_it(two: Host, kind: str) -> None:
    send(two, mail((kind, "x", write_opml("Mine", FEEDS)), subject="folder=Later", text="https://d.example/"))
    assert asked_for(two) == {
        ("https://a.example/feed", "Later"),
        ("https://b.example/", "Later"),
        ("https://d.example/", "Later"),
    }


async def test_a_list_can_be_the_whole_mail(two: Host) -> None:
    head = b"Heliograph-Authenticated: alice\r\nFrom: alice@fabric.test\r\nContent-Type: %s\r\n\r\n"
    for kind in (b"text/x-opml", b"text/plain"):
        send(two, head % kind + write_opml("Mine", FEEDS).replace(b"\n", b"\r\n"))
        assert ("https://a.example/feed", "News") in asked_for(two)


async def test_a_list_of_nothing_or_one_too_long_for_a_mail_says_so(two: Host) -> None:
    endless = write_opml("Mine", (Outline(f"https://a.example/{number}" + "x" * 200) for number in range(2_000)))
    for content, said in ((b"<opml><body/></opml>", "without feeds"), (endless, "ask the operator")):
        send(two, mail(("text/x-opml", "feeds.opml", content)))
        assert said in two.answers[-1].text.replace("\r\n", " ") and not asked_for(two)


async def test_too_long_a_list_is_cut_and_said_to_be(two: Host) -> None:
    many = [Outline(f"https://f{n}.example/") for n in range(FEEDS_MAX + 7)]
    send(two, mail(("text/x-opml", "feeds.opml", write_opml("Mine", many))))
    assert len(asked_for(two)) == FEEDS_MAX
    (answer,) = two.answers
    assert "7 more addresses" in answer.text


async def test_a_bad_list_or_a_strangers_is_said_to_be_so(two: Host) -> None:
    bomb = b"<?xml version='1.0'?><!DOCTYPE opml [<!ENTITY a 'b'>]><opml><body><outline xmlUrl='&a;'/></body></opml>"
    for content in (b"<opml><body>", bomb, b"<opml>" + b"<outline>" * 50 + b"</opml>"):
        send(two, mail(("text/x-opml", "feeds.opml", content)))
        assert "feeds.opml" in two.answers[-1].text and "cannot be done" in two.answers[-1].text
    send(two, mail(("text/x-opml", "feeds.opml", write_opml("", FEEDS)), who="zoe"), signed_by="")
    assert asked_for(two) == set() and "account here" in two.answers[-1].text


async def test_what_she_follows_is_gathered_from_host_to_host(make_host: MakeHost, tmp_path: Path) -> None:
    hosts = {name: await make_host(name, owners=("host-1", "host-2")) for name in ("host-1", "host-2")}
    for name, host in hosts.items():
        url, number = f"https://{name}.example/feed", 0 if name == "host-1" else 1
        host.store.write_now(
            lambda tx, url=url, name=name, number=number: create(  # type: ignore[misc]
                tx, url=url, domain="x", bucket=number, source=f"feed-{name}", title=f"Of {name}", now=1.7e9
            )
        )
    hosts["host-1"].ask("opml")
    (asked,) = (each for each in hosts["host-1"].controls if isinstance(each, TellFollows))
    assert asked.feeds and asked.about == "<q1@example>"
    wanted = Gathered(
        (("bob", "INBOX"), ("feed-host-1", "News"), ("feed-host-2", "INBOX")), ("host-2", "gone", "host-1")
    )
    content, at = (
        b"Heliograph-Control: gather-feeds account=alice about=%3Cq1@example%3E\r\n\r\n" + written(wanted),
        "host-1",
    )
    for _ in range(3):
        hosts[at].receive(content, signed_by="host-1", bucket=("host-1", "host-2").index(at))
        letter: Letter = hosts[at].letters[-1]
        if letter.to == "alice@fabric.test":
            break
        assert letter.signed and letter.controls == [GatherFeeds("alice", "<q1@example>")]
        content, at = letter.content, "host-2" if letter.to.startswith("follow@b1.") else "host-1"
    (attached,) = (part for part in letter.message.iter_attachments())
    assert attached.get_filename() == "feeds.opml" and letter.headers.get("in-reply-to") == "<q1@example>"
    assert read_opml(attached.get_content().encode()) == [
        Outline("https://host-2.example/feed", "Of host-2"),
        Outline("https://host-1.example/feed", "Of host-1", "News"),
    ]


@given(st.binary(max_size=400))
def test_no_mail_makes_the_reader_of_parts_raise(content: bytes) -> None:
    head = b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    for octets in (content, head + content + b"\r\n--x\r\n" + content):
        assert sum(1 for _ in parts_of(octets, 1_000)) <= 50


def test_parts_nest_only_so_deep() -> None:
    content = b"text"
    for _ in range(100):
        content = b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\n' + content + b"\r\n--x--\r\n"
    assert list(parts_of(content, 1_000)) == []
    assert len(list(parts_of(b"Content-Type: multipart/a; boundary=x\r\n\r\n" + b"--x\r\n\r\na\r\n" * 999, 9))) == 50


@given(st.binary(max_size=200))
def test_a_letter_that_goes_round_is_one_or_a_fault(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(read(content), Gathered)

"""Commands in a mail: each line is understood, or said to be not; nothing is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.names import FabricNames
from ingest.errands import Errands, Follow, Help, ListAll, Newsletter, Unfollow, errands_of, lines_of, read_errands
from ingest.wish import SIFT_OCTETS_MAX, Wish
from mail.control import FollowFeed, Sift, Subscribe, TellFollows, UnfollowFeed, Unsubscribe, WantNewsletter
from mail.envelope import Arrival
from mail.outcome import Delivered

NAMES = FabricNames("fabric.test", 64)
URL = "https://blog.example/feed"


def read(*lines: str) -> Errands:
    return read_errands(list(lines), NAMES)


@pytest.mark.parametrize(
    ("line", "errand"),
    [
        ("list", ListAll()),
        ("Help!", Help()),
        ("follow bob", Follow("bob", Wish("", "INBOX"))),
        ("bob@reflectors.fabric.test", Follow("bob", Wish("", "INBOX"))),
        ("follow <bob@fabric.test> folder='My News'", Follow("bob", Wish("", "My News"))),
        ("subscribe bob only=rust only=go without=c++", Follow("bob", Wish("", "INBOX", False, "rust\ngo\n", "c++\n"))),
        ("unfollow bob", Unfollow("bob")),
        ("STOP bob+unsubscribe@reflectors.fabric.test", Unfollow("bob")),
        (f"unfollow {URL}#top", Unfollow(url=URL)),
        ("newsletter The Weekly folder=News", Newsletter("The Weekly", "News")),
        ("drop newsletter the weekly", Newsletter("the weekly", drop=True)),
    ],
)
def test_a_line_is_an_errand(line: str, errand: object) -> None:
    for lines in ((line,), ("Hello,", "", line, "Thank you")):
        found = read(*lines)
        assert [each for _, each in found.words] == [errand] and not (found.bad or found.wishes.good)


@pytest.mark.parametrize(
    "line",
    ["list of my friends", "help me out", "follow me, please", "follow bob closely", "stop it now", "Dear bob@x.test,"],
)
def test_talk_is_no_errand(line: str) -> None:
    assert read(line).nothing


@pytest.mark.parametrize(
    "line", ["unfolow bob", "follow bob@elsewhere.example", "unfollow ftp://x.test/", "newsletter =?"]
)
def test_what_cannot_be_is_said(line: str) -> None:
    ((said, reason),) = read(line).bad
    assert said == line and reason and not read(line).words


def test_options_on_a_line_of_their_own_are_for_all() -> None:
    found = read("folder=News only=rust", URL, f"{URL}/2 folder=Other", "follow bob", "follow eve folder=Eve")
    assert [(each.folder, each.only) for each in found.wishes.good] == [("News", "rust\n"), ("Other", "rust\n")]
    assert [errand.options.folder for _, errand in found.words if isinstance(errand, Follow)] == ["News", "Eve"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("foldr=News", "no such option; there are folder="),
        ("edit=yes", "no such option"),
        ("fulltext=true", "fulltext=yes is all"),
        ("edits = no", "edits=yes is all"),
        ('only="two words', "not closed"),
        ("folder=", "nothing stands behind it"),
        (f"folder={'x' * 60}", "48 octets at most"),
        (f"without={'x' * 90}", "80 octets at most"),
        (" ".join(f"only={number:030}" for number in range(3)), "80 octets at most"),
    ],
)
def test_an_option_that_is_none_is_said_and_the_rest_done(said: str, why: str) -> None:
    for asked in (URL, "follow bob", "bob@reflectors.fabric.test"):
        found = read(f"{asked} {said}")
        assert (found.wishes.good or found.words) and not found.single and found.wants_words
        ((what, reason),) = found.bad
        assert said.startswith(what) and why in reason and "the rest was done" in reason
    good = read(f"{URL} {said}").wishes.good[0]
    assert good.folder == "INBOX" and not (good.edits or good.fulltext or good.without)


def test_talk_beside_an_address_is_no_option() -> None:
    for talk in ("I = me", "a + b = c, as always", "my favourite, e=mc2, folder=News"):
        assert not read(f"{URL} {talk}").bad
    assert not read(f"{URL}?foldr=News").bad


def test_quotation_marks_of_a_mail_program_are_ours() -> None:
    content = f"Subject: x\r\n\r\n{URL} folder=“My News” without=„two words“\r\n".encode()
    (good,) = errands_of(lines_of(Arrival("a@b.example", content, 0)), NAMES).wishes.good
    assert (good.folder, good.without) == ("My News", "two words\n")


def test_options_on_two_lines_of_their_own_are_for_all() -> None:
    ((_, errand),) = read("folder=News", "follow bob", "only=rust").words
    assert errand == Follow("bob", Wish("", "News", only="rust\n"))


def test_an_address_to_leave_is_not_followed() -> None:
    found = read(f"unfollow {URL}", f"{URL}/2")
    assert [each.url for each in found.wishes.good] == [f"{URL}/2"]


def test_a_mail_of_a_hundred_thousand_lines_is_read_as_far_as_it_is_read() -> None:
    content = b"Subject: x\r\n\r\n" + b"follow bob\r\nunfollow eve\r\nhttps://a.example/\r\n" * 33_334
    found = errands_of(lines_of(Arrival("a@b.example", content, 0)), NAMES)
    assert len(found.words) == 2 and len(found.wishes.good) == 1 and found.cut
    many = "\r\n".join(f"follow user{n}" for n in range(100_000))
    found = errands_of(lines_of(Arrival("a@b.example", f"Subject: x\r\n\r\n{many}".encode(), 0)), NAMES)
    assert len(found.words) == 20 and len(found.bad) == 20 and found.cut


@given(st.lists(st.text(max_size=60), max_size=8))
def test_whatever_is_written_is_read(lines: list[str]) -> None:
    for _, errand in read(*lines).words:
        if isinstance(errand, Follow):
            assert len(errand.options.only.encode()) <= SIFT_OCTETS_MAX


async def test_one_answer_says_what_becomes_of_each_line(host, site, rss, item) -> None:
    site.pages["/feed"] = rss(item(1))
    lines = (
        f"{site.url('/feed')} only=rust",
        "follow bob",
        "unfollow eve",
        "list",
        "newsletter Weekly",
        "unfolow x",
    )
    assert host.ask(*lines).outcome == Delivered()
    (answer,) = host.answers
    assert answer.headers.get("in-reply-to") == "<q1@example>"
    assert all(line.partition(" only=")[0] in answer.text for line in lines)
    assert "unfolow x\r\n    cannot be done" in answer.text
    to = {letter.to.partition("@")[0]: letter for letter in host.letters if letter is not answer}
    assert to["alice+news"].controls == [WantNewsletter("Weekly", "", False, "<q1@example>")]
    assert TellFollows("<q1@example>") in host.controls
    for name, word in (("bob+subscribe", 'subscribe folder="INBOX"'), ("eve+unsubscribe", "unsubscribe")):
        letter = to[name]
        assert letter.signed and letter.headers.get("heliograph-authenticated") == "alice"
        assert letter.sender == "alice@fabric.test" and letter.headers.get("subject") == word
    await host.settled()
    sifts = {word.source.partition("-")[0]: (word.only, word.without) for _, word in host.sifts}
    assert sifts == {"bob": ("", ""), "a": ("rust\n", "")}


async def test_a_feed_is_left_by_its_address(host, site, rss, item) -> None:
    site.pages["/feed"] = rss(item(1))
    host.ask(site.url("/feed"), "edits=yes")
    await host.settled()
    row = host.store.reader.one("SELECT source, edits FROM feed")
    host.ask(f"unfollow {site.url('/feed')}")
    left = [letter.to.partition("@")[0] for letter in host.letters if letter.headers.get("subject") == "unsubscribe"]
    assert left == [f"{row[0]}+unsubscribe", f"{row[1]}+unsubscribe"]
    host.ask(f"unfollow {site.url('/other')}")
    assert ["followed by nobody" in answer.text for answer in host.answers] == [False, True]


async def test_another_hosts_feed_is_left_and_sifted_there(host, site) -> None:
    there = host.__class__(host.path, "host-2", ("host-2",))
    host.directory = there.directory
    host.ask(f"{site.url('/feed')} only=rust")
    host.ask(f"unfollow {site.url('/feed')}")
    passed_on = [letter for letter in host.spooled if letter.to.startswith("follow@b")]
    assert [type(word) for letter in passed_on for word in letter.controls] == [FollowFeed, Sift, UnfollowFeed]
    bucket = int(passed_on[0].to.partition("@b")[2].partition(".")[0])
    there.receive(passed_on[0].content, sender="", signed_by="host-1", bucket=bucket)
    assert there.store.reader.all("SELECT only_words FROM request") == [("rust\n",)]
    there.receive(passed_on[1].content, sender="", signed_by="host-1", bucket=bucket)
    assert there.requests() == 0
    there.store.close()


async def test_a_stranger_is_asked_by_the_list_first(host, site) -> None:
    def write(*lines: str) -> None:
        host.receive("From: eve@elsewhere.example\n\n" + "\n".join(lines), sender="eve@elsewhere.example")

    write("follow bob", "unfollow eve", f"unfollow {site.url('/feed')}", "list")
    assert host.controls == [
        Subscribe("bob", "eve@elsewhere.example", "INBOX", False),
        Unsubscribe("eve", "eve@elsewhere.example", False),
    ]
    assert len(host.answers) == 1 and not any(letter.headers.has("heliograph-authenticated") for letter in host.letters)
    for _ in range(10):  # and not for ever
        write("follow bob", "help")
    assert len(host.controls) <= 5 and len(host.answers) == 1

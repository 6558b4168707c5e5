"""Messages made to be slow, deep or unreadable stay readable, and cost in proportion to their length."""

from __future__ import annotations

import imaplib
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from mail.headers import split_message
from mailbox_host.columns import columns_of
from mailbox_host.entries import Entry
from mailbox_host.facts import facts_of
from mailbox_host.imap.commands import Key
from mailbox_host.imap.header_words import words_of
from mailbox_host.imap.masks import View
from mailbox_host.imap.matching import Candidate, compile_key
from mailbox_host.imap.sections import Content
from mailbox_host.imap.selected import Selected
from mailbox_host.imap.sorting import VALUES
from tests.mailbox_host import imap_answers
from tests.mailbox_host.nasty import NASTY, header, one_boundary

ITEMS = (
    "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE BODY[] BODY[1] BODY[1.MIME] BODY[2.HEADER] BODY[1.1] "
    "BODY[HEADER.FIELDS (To Subject)] BODY[TEXT]<2.9>)"
)
SORTS = "REVERSE DATE SUBJECT FROM TO CC SIZE ARRIVAL"
ENTRY = Entry(1, 1, 0, "", 1, 0.0, 10)
VIEW = View(Selected(1, "INBOX", [1], 1, True), columns_of(1, [ENTRY]), [0], 0.0)


def said(client: Callable[[str], list[str]], text: str) -> imap_answers.Answers:
    octets = b"".join(line.encode("utf-8", "surrogateescape") + b"\r\n" for line in client(text))
    return imap_answers.read(octets)


@pytest.mark.parametrize("name", NASTY)
def test_it_stays_readable(talk, name):
    """Every item answers in good IMAP, BODY[] octet for octet; it is searched and sorted."""
    client, content = talk(), NASTY[name](6_000)
    uid = client.file(content)
    client("a SELECT INBOX")
    answers = said(client, f"b UID FETCH {uid} {ITEMS}")
    assert answers.last == b"OK"
    (shown,) = answers.fetched
    assert shown[b"BODY[]"] == content
    envelope = shown[b"ENVELOPE"]
    assert isinstance(envelope, list) and len(envelope) == 10
    assert said(client, "c SEARCH OR FROM qzxjkvq OR TO qzxjkvq OR SENTON 1-Jan-1900 OR TEXT qzxjkvq SUBJECT qzxjkvq")
    assert said(client, f"d UID SORT ({SORTS}) UTF-8 ALL").untagged == [b"SORT %d" % uid]


def test_the_standard_library_reads_it_too(talk):
    """imaplib cuts a FETCH at its literals; what it finds there is what is stored."""
    client = talk()
    stored = [make(2_000) for make in NASTY.values()]
    for content in stored:
        client.file(content)
    client("a SELECT INBOX")
    answer = "\r\n".join(client("b FETCH 1:* BODY.PEEK[]")).encode("utf-8", "surrogateescape") + b"\r\n"

    class Replay(imaplib.IMAP4):
        def open(self, *_: Any) -> None:
            self.rest = b"* OK ready\r\n* CAPABILITY IMAP4rev1\r\n"

        def read(self, size: int) -> bytes:
            piece, self.rest = self.rest[:size], self.rest[size:]
            return piece

        def readline(self) -> bytes:
            return self.read(self.rest.index(b"\n") + 1)

        def send(self, data: bytes) -> None:
            tag = data.split()[0]
            self.rest += b"* CAPABILITY IMAP4rev1\r\n" if b"CAPABILITY" in data else answer.rpartition(b"b OK")[0]
            self.rest += tag + b" OK Done\r\n"

        def shutdown(self) -> None: ...

    replay = Replay()
    replay.state = "SELECTED"
    found = [piece[1] for piece in replay.fetch("1:*", "(BODY.PEEK[])")[1] if isinstance(piece, tuple)]
    assert found == stored


def searched(content: bytes) -> None:
    """Whatever SEARCH and SORT make of a message."""
    pair = split_message(content)
    words_of(pair[0])
    for key in (Key("TEXT", "qzxjkvq (a"), Key("SENTON", 0)):
        compile_key(key, VIEW)(Candidate(0, Content(*pair)))
    for value in VALUES.values():
        value(ENTRY, pair[0])


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "make",
    [
        *(header(b"From: (", unit) for unit in (b" ", b"(", b"()", b"\t(")),
        *(header(b"Subject: ", unit, b"x") for unit in (b"[a]", b"(fwd)", b"[fwd:", b"=?utf-8?q?", b"\r\n ", b" \t")),
        lambda octets: (b"Date " + b" " * 995) * (octets // 1000) + b"\r\n\r\n",
    ],
)
def test_a_header_of_two_megabytes(make):
    """What looks at it twice for each octet would not come to an end: 4,000,000,000,000 steps."""
    searched(make(2_000_000))


def lines_run(work: Callable[[bytes], object], content: bytes) -> int:
    """Count the lines of Python that some work takes."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work(content)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", NASTY)
def test_twice_the_octets_twice_the_work(name):
    small, large = (NASTY[name](size) for size in (2_500, 5_000))
    for work in (facts_of, searched):
        once, twice = lines_run(work, small), lines_run(work, large)
        assert twice <= 2.4 * once + 200, (work, once, twice)


def test_fifty_levels_that_wait_for_one_boundary():
    """Each of a thousand delimiters is looked for by fifty multiparts: that must be cheap, a step or two for each."""
    assert lines_run(facts_of, one_boundary(40_000)) < 50 * 40_000

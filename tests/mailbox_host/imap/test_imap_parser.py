"""The parser: any cut of the stream gives the same commands, and nothing escapes."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail import utf7
from mailbox_host.imap import commands as ask
from mailbox_host.imap.framing import Ask, Event, Frame, Framer, TooLarge
from mailbox_host.imap.parser import BadCommand, parse
from mailbox_host.imap.patterns import Patterns
from mailbox_host.imap.sequence import SequenceSet, pack, pack_ordered
from mailbox_host.imap.settings import LITERAL_BEFORE_LOGIN_MAX


def one(text: bytes) -> ask.Arguments:
    return parse(Frame((text,))).arguments


def events(pieces: list[bytes], limit: int = LITERAL_BEFORE_LOGIN_MAX) -> list[Event]:
    framer = Framer()
    framer.literal_octets_max = framer.append_octets_max = limit
    found: list[Event] = []
    for piece in pieces:
        framer.receive(piece)
        while (event := framer.next()) is not None:
            found.append(event)
    return found


def cuts(data: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:stop] for start, stop in itertools.pairwise(bounds)]


STREAM = (
    b"a1 LOGIN {5}\r\nalice {6+}\r\nsecret\r\na2 NOOP\na3 SELECT {0}\r\n\r\n"
    b'a4 SEARCH CHARSET UTF-8 SUBJECT "x" (OR FROM {3+}\r\nbob TO {2}\r\n\r\n) 1:*\r\n{9}\r\n123456789\r\n'
    b"a5 APPEND x {99999}\r\na6 NOOP\r\na7 X {99999+}\r\n"
)


@given(st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=20))
def test_any_cut_gives_the_same_frames(places: list[int]) -> None:
    assert events(cuts(STREAM, places)) == events([STREAM])


def test_octet_by_octet() -> None:
    assert events([bytes([octet]) for octet in STREAM]) == events([STREAM])
    assert events([STREAM])[:3] == [
        Ask(),
        Frame((b"a1 LOGIN ", b" ", b""), (b"alice", b"secret")),
        Frame((b"a2 NOOP",)),
    ]


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(
                [b"\r\n", b"\n", b"{3}\r\n", b"{3+}\r\n", b"{0}\r\n", b"a ", b"APPEND ", b'"', b"(", b"{99999+}\r\n"]
            ),
        ),
        max_size=30,
    ),
    st.lists(st.integers(min_value=0, max_value=500), max_size=10),
)
def test_any_octets_in_any_cut(pieces: list[bytes], places: list[int]) -> None:
    data = b"".join(pieces)
    whole = events([data])
    assert events(cuts(data, places)) == whole
    for event in whole:
        if isinstance(event, Frame):
            parse_quietly(event)


WORDS = st.sampled_from(
    b'a UID FETCH STORE SEARCH LIST STATUS APPEND SELECT LOGIN 1:* 1,2:3 (FLAGS BODY[ HEADER.FIELDS (X) ] <0.1> ( ) " '
    b"NOT OR FROM {3} RETURN (MIN CHARSET UTF-8 INBOX &- * % NIL +FLAGS.SILENT \\Seen 1-Jan-2020 \\ "
    b"BODY.PEEK[1.2.MIME]".split()
)


@settings(max_examples=500)
@given(st.lists(st.one_of(WORDS, st.binary(max_size=6)), max_size=12), st.lists(st.binary(max_size=8), max_size=3))
def test_nothing_escapes_the_parser(words: list[bytes], literals: list[bytes]) -> None:
    texts = [b"a " + b" ".join(words), *(b" x" for _ in literals)]
    parse_quietly(Frame(tuple(texts), tuple(literals)))


def parse_quietly(frame: Frame) -> None:
    try:
        parse(frame)
    except BadCommand as error:
        assert str(error).isascii()


def test_a_literal_too_large_is_refused_before_it_is_asked_for() -> None:
    assert events([b"a LOGIN {4294967295}\r\nb NOOP\r\n"]) == [
        TooLarge(b"a", b"NO [TOOBIG] Literal too large", False),
        Frame((b"b NOOP",)),
    ]
    assert events([b"a LOGIN {9000+}\r\n"]) == [TooLarge(b"a", b"NO [TOOBIG] Literal too large", True)]
    absurd = b"a LOGIN {" + b"9" * 30
    assert events([absurd + b"}\r\n"]) == [TooLarge(b"a", b"NO [TOOBIG] Literal too large", False)]
    assert events([absurd + b"+}\r\n"]) == [TooLarge(b"a", b"NO [TOOBIG] Literal too large", True)]


def test_literals_count_together() -> None:
    found = events([b"a LOGIN {5000+}\r\n" + b"x" * 5000 + b" {5000}\r\n"])
    assert found == [TooLarge(b"a", b"NO [TOOBIG] Literal too large", False)]


def test_a_line_without_end_costs_nothing_and_is_answered_once() -> None:
    framer = Framer()
    framer.receive(b"a NOOP " + b"x" * 100_000)
    assert framer.next() == TooLarge(b"a", b"BAD [TOOBIG] Command line too long", False)
    for _ in range(100):
        framer.receive(b"x" * 100_000)
        assert framer.next() is None
    assert framer.rest() == b""
    framer.receive(b"\r\nb NOOP\r\n")
    assert framer.next() == Frame((b"b NOOP",))


def test_commands_read() -> None:
    assert one(b"a LOGIN alice secret") == ask.Login(b"alice", b"secret")
    assert one(b'a LOGIN "al\\"ice" "se\\\\cret"') == ask.Login(b'al"ice', b"se\\cret")
    assert one(b"a SELECT inbox") == ask.Open("INBOX")
    assert one(b"a SELECT INBOX (CONDSTORE)") == ask.Open("INBOX", True)
    assert one(b"a CREATE foo/") == ask.Create("foo", True)
    assert one(b'a SELECT "Entw&APw-rfe"') == ask.Open("Entwürfe")
    assert one(b"a STATUS x (MESSAGES UIDNEXT)") == ask.Status("x", (b"MESSAGES", b"UIDNEXT"))
    assert one(b"a STORE 1:2,* -FLAGS.SILENT (\\Seen $Junk)") == ask.Store(
        SequenceSet(((1, 2), (0, 0))), "-", ("\\Seen", "$Junk"), True
    )
    assert one(b"a STORE 1 (UNCHANGEDSINCE 12) FLAGS \\Seen") == ask.Store(
        SequenceSet(((1, 1),)), "=", ("\\Seen",), False, 12
    )
    assert one(b'a LIST "" %') == ask.List("", ("%",))
    assert one(b"a noop") == ask.Simple()
    assert parse(Frame((b"a uid fetch 1 flags",))).uid


def test_fetch_attributes() -> None:
    assert one(b"a FETCH 1 FULL") == ask.Fetch(
        SequenceSet(((1, 1),)), ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY")
    )
    fetched = one(b'a FETCH 1 (BODY.PEEK[1.2.HEADER.FIELDS (Subject "X-A")]<5.10> BODY[] RFC822)')
    assert isinstance(fetched, ask.Fetch)
    part, whole, old = fetched.items
    assert isinstance(part, ask.BodyPart) and isinstance(whole, ask.BodyPart) and isinstance(old, ask.BodyPart)
    assert part.label == b"BODY[1.2.HEADER.FIELDS (SUBJECT X-A)]<5>"
    assert part.section == ask.Section((1, 2), "HEADER.FIELDS", (b"SUBJECT", b"X-A"))
    assert part.partial == (5, 10) and part.peek and not whole.peek
    assert (whole.label, old.label) == (b"BODY[]", b"RFC822")


def test_search_keys() -> None:
    found = one(b'a SEARCH CHARSET utf-8 UNSEEN (OR FROM "M\xc3\xbcller" NOT LARGER 5) 1:3 SINCE 1-Feb-2020')
    assert found == ask.Search(
        ask.And(
            (
                ask.Key("UNSEEN"),
                ask.And((ask.Or(ask.Key("FROM", "müller"), ask.Not(ask.Key("LARGER", 5))),)),
                ask.Key("SEQUENCE", SequenceSet(((1, 3),))),
                ask.Key("SINCE", 1_580_515_200),
            )
        ),
        charset=True,
    )
    assert one(b"a SEARCH RETURN () ALL") == ask.Search(ask.Key("ALL"), frozenset({b"ALL"}))


def test_append() -> None:
    frame = Frame((b'a APPEND INBOX (\\Seen) "17-Jul-1996 02:44:25 -0700" ', b""), (b"hello",))
    assert parse(frame).arguments == ask.Append("INBOX", (ask.NewMessage(("\\Seen",), 837_596_665, b"hello"),))


@pytest.mark.parametrize(
    "line",
    [
        b"a", b"", b"a ", b"a FOO", b"+ NOOP", b"a NOOP x", b"a LOGIN x", b"a FETCH 1", b"a FETCH 0 FLAGS",
        b"a FETCH 1 ()", b"a FETCH 1 BODY[", b"a FETCH 1 BODY[MIME]", b"a FETCH 1 BODY[]<0.0>", b"a FETCH 1: FLAGS",
        b"a FETCH 4294967296 FLAGS", b"a FETCH 1 BODY[HEADER.FIELDS ()]", b"a SEARCH", b"a SEARCH FOO", b"a SEARCH (",
        b"a SEARCH " + b"NOT " * 100 + b"ALL", b"a SEARCH " + b"(" * 30_000, b"a STORE 1 FOO \\Seen", b'a SELECT "x',
        b"a STATUS && (UNSEEN)", b"a DELETE &AGE-", b"a SELECT x\x00y", b"a SEARCH ON 32-Jan-2020", b"a UID NOOP",
        b'a LIST (FOO) "" *', b"a STATUS x ()", b"a SEARCH LARGER 99999999999999999999",
        b"a FETCH 1 BODY[" + b"1." * 60 + b"1]",
    ],
)  # fmt: skip
def test_what_is_no_command_is_bad(line: bytes) -> None:
    with pytest.raises(BadCommand):
        parse(Frame((line,)))


def test_unknown_charset_is_a_no() -> None:
    with pytest.raises(BadCommand) as caught:
        parse(Frame((b"a SEARCH CHARSET punycode TEXT x",)))
    assert (caught.value.status, caught.value.code) == (b"NO", b"BADCHARSET (US-ASCII UTF-8)")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_utf7_comes_back(name: str) -> None:
    wire = utf7.encode(name)
    assert wire.isascii()
    assert utf7.decode(wire) == name


def test_utf7_of_the_rfc() -> None:
    assert utf7.encode("~peter/mail/台北/日本語") == b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"
    for wrong in (b"&Jjo!", b"&U,BTFw-&ZeVnLIqe-", b"a&b", b"&AGE-", b"\xc3\xa4", b"&2AA-"):
        with pytest.raises(utf7.BadName):
            utf7.decode(wrong)


@given(st.lists(st.integers(min_value=1, max_value=300), unique=True))
def test_packed_sets_read_back(numbers: list[int]) -> None:
    for text, wanted in ((pack(sorted(numbers)), set(numbers)), (pack_ordered(numbers), set(numbers))):
        if not numbers:
            assert text == b""
            continue
        found = SequenceSet.parse(text, 1000)
        assert found is not None
        spans = found.by_number(300)
        assert {at + 1 for start, stop in spans for at in range(start, stop)} == wanted


def test_sets_in_a_mailbox() -> None:
    def uids(text: bytes, *there: int) -> list[int]:
        found = SequenceSet.parse(text, 10)
        assert found is not None
        return [there[at] for start, stop in found.by_uid(there) for at in range(start, stop)]

    assert uids(b"1:4294967295", 5, 9, 11) == [5, 9, 11]
    assert uids(b"*:20", 5, 9, 11) == [11]  # RFC 3501 6.4.8
    assert uids(b"10:6,5,7:9", 5, 9, 11) == [5, 9]
    assert uids(b"1:*") == []
    wide = SequenceSet.parse(b"*,2:3,3:4", 10)
    assert wide is not None and wide.by_number(6) == [(1, 4), (5, 6)]


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", "a/b", True), ("%", "a/b", False), ("%", "a", True), ("a/%", "a/b", True), ("a/%", "a/b/c", False),
        ("a*c", "a/b/c", True), ("inbox", "INBOX", True), ("inb%", "INBOX", True), ("a%%*b", "axyz/b", True),
        ("%/%", "a/b", True), ("*b*", "abc", True), ("a", "ab", False), ("", "a", False), ("a*", "a", True),
    ],
)  # fmt: skip
def test_patterns(pattern: str, name: str, matches: bool) -> None:
    assert Patterns("", (pattern,)).match(name) is matches


def test_no_pattern_explodes() -> None:
    start = time.process_time()
    assert not Patterns("", ("*a%" * 300 + "b",)).match("a" * 1000)
    assert time.process_time() - start < 2.0

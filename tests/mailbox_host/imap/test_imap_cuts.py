"""Anything that a client can send, cut anywhere: the same answers, good IMAP, and bounded work."""

from __future__ import annotations

import re
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailbox_host import accounts
from mailbox_host.imap.framing import Frame, Framer
from mailbox_host.imap.parser import BadCommand, parse
from tests.mailbox_host import imap_answers

MESSAGE = b"From: a@b\r\nSubject: s\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\none\r\n--x--\r\n"

STRINGS = st.one_of(
    st.sampled_from([b"INBOX", b'"a b"', b'""', b"NIL", b"&AOQ-", b"&", b"(", b")"]),
    st.sampled_from([b"{3}\r\nabc", b"{3+}\r\na\0c", b"{0+}\r\n"]),
    st.binary(max_size=6).map(lambda octets: b"{%d+}\r\n%b" % (len(octets), octets)),
)  # fmt: skip
WORDS = st.sampled_from(
    b"".join(
        (
            b"FETCH STORE COPY MOVE SEARCH SORT THREAD UID SELECT EXAMINE CREATE DELETE RENAME LIST LSUB STATUS ",
            b"APPEND NOOP IDLE DONE CLOSE EXPUNGE ID ENABLE CAPABILITY NAMESPACE CHECK UNSELECT GETQUOTA ",
            b"GETQUOTAROOT LOGIN AUTHENTICATE PLAIN SUBSCRIBE (FLAGS) +FLAGS (\\Seen) BODY[] BODY[1] ",
            b"BODY.PEEK[HEADER.FIELDS (To)] <0.5> BODYSTRUCTURE ENVELOPE (UID MODSEQ) BINARY[1] 1 1:* *:1 ",
            b"4294967295:1 1,1,1 $ 0 99999999999 ALL NOT OR TEXT KEYWORD a LARGER SINCE 1-Jan-2020 RETURN (COUNT) ",
            b"(SAVE) (DATE) (REVERSE SUBJECT) UTF-8 REFERENCES ORDEREDSUBJECT CHARSET (MESSAGES) (CONDSTORE) ",
            b'(QRESYNC PREVIEW CONDSTORE INBOX Sent * % "" "x" IMAP4rev2 UTF8=ACCEPT (CHANGEDSINCE 1) ',
            b"(UNCHANGEDSINCE ",
        )
    ).split()
)
ATTEMPTS = st.lists(st.one_of(WORDS, STRINGS), max_size=7).map(b" ".join)
LINES = st.one_of(
    ATTEMPTS,
    st.binary(max_size=20),
    st.builds(lambda n, octets: b"APPEND INBOX {%d%b}\r\n%b" % (len(octets), n, octets), st.sampled_from([b"", b"+"]),
              st.sampled_from([MESSAGE, b"x", b"\0\n\r"])),
    st.sampled_from([b"FETCH 1:* (UID FLAGS BODY[])", b"SELECT INBOX"]),
    st.sampled_from([b"x {99999999999}", b"APPEND INBOX {99999999999}", b"SEARCH " + b"(" * 70_000]),
    st.sampled_from([b"SEARCH " + b"NOT " * 5_000 + b"ALL", b"UID FETCH 1:* BODYSTRUCTURE"]),
)  # fmt: skip
STREAMS = st.lists(LINES, min_size=1, max_size=12).map(
    lambda lines: b"".join(b"t%d %b\r\n" % (number, line) for number, line in enumerate(lines))
)

names = (f"user{number}" for number in count())


def in_words(lines: list[str]) -> list[str]:
    """Without what differs from account to account: the ids of mailboxes."""
    return [re.sub(r"MAILBOXID \(F\d+\)", "MAILBOXID (F)", line) for line in lines]


def client_of_its_own(stranger, store):
    name = next(names)
    store.write_now(lambda tx: accounts.add(tx, name, None, 1_700_000_000.0))
    client = stranger()
    client(f"0 LOGIN {name} secret")
    client(b"0 APPEND INBOX {%d+}\r\n%b\r\n" % (len(MESSAGE), MESSAGE))
    client("0 SELECT INBOX")
    return client


@settings(max_examples=80, suppress_health_check=list(HealthCheck), deadline=None)
@given(STREAMS, st.lists(st.integers(1, 400), max_size=12))
def test_the_same_answers_whatever_the_cut(stranger, store, octets, steps):
    at_once = client_of_its_own(stranger, store)
    whole = at_once(octets)
    in_pieces = client_of_its_own(stranger, store)
    pieces = []
    for step in [*steps, len(octets)]:
        pieces += [] if in_pieces.closed else in_pieces(octets[:step])
        octets = octets[step:]
    assert in_words(pieces) == in_words(whole)
    assert at_once.closed is in_pieces.closed
    imap_answers.read("".join(line + "\r\n" for line in whole).encode("utf-8", "surrogateescape"))


@settings(max_examples=80, suppress_health_check=list(HealthCheck), deadline=None)
@given(STREAMS)
def test_a_stranger_gets_answers_too(stranger, octets):
    client = stranger()
    answers = imap_answers.read("".join(line + "\r\n" for line in client(octets)).encode("utf-8", "surrogateescape"))
    assert not any(text.startswith(b"[SERVERBUG]") for _, _, text in answers.statuses)


@given(st.binary(max_size=300), st.lists(st.integers(1, 50), max_size=10))
def test_frames_do_not_depend_on_cuts(octets, steps):
    def frames(pieces: list[bytes]) -> list[object]:
        framer, found = Framer(), []
        for piece in pieces:
            framer.receive(piece)
            while (event := framer.next()) is not None:
                found.append(event)
                if isinstance(event, Frame):
                    try:
                        found.append(parse(event))
                    except BadCommand as error:
                        found.append(str(error))
        return found

    pieces, rest = [], octets
    for step in steps:
        pieces, rest = [*pieces, rest[:step]], rest[step:]
    assert frames([*pieces, rest]) == frames([octets])

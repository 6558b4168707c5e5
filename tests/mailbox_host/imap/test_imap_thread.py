"""Conversations: what RFC 5256 says of them, and what holds whatever headers claim."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_host.imap.sorting import split_subject
from mailbox_host.imap.thread import message_ids, references
from mailbox_host.imap.threads import Message, by_references, by_subject

NAMES = st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f", b"g"])
MESSAGES = st.lists(
    st.builds(
        Message,
        sent=st.integers(0, 5).map(float),
        subject=st.sampled_from(["", "X", "Y"]),
        reply=st.booleans(),
        id=st.one_of(st.just(b""), NAMES),
        references=st.lists(NAMES, max_size=5).map(tuple),
    ),
    max_size=14,
)


def message(name: str = "", *refs: str, subject: str = "", reply: bool = False, sent: float = 0) -> Message:
    return Message(sent, subject, reply, name.encode(), tuple(ref.encode() for ref in refs))


def threaded(*messages: Message) -> str:
    return by_references(messages).write(lambda at: at + 1).decode()


@given(MESSAGES)
def test_every_message_is_there_once(messages: list[Message]) -> None:
    for make in (by_references, by_subject):
        text = make(messages).write(lambda at: at + 1).decode()
        assert sorted(map(int, re.findall(r"\d+", text))) == list(range(1, len(messages) + 1))
        assert re.fullmatch(r"(?:\((?:\(|\d)[()\d ]*\))*", text) and text.count("(") == text.count(")")
        assert not re.search(r"\(\)| \)|\( |\) |\d\(", text)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        # 1: a chain, and who replied to the same; RFC 5256 4 writes them so
        ([message("a"), message("b", "a"), message("c", "a", "b"), message("d", "a", "b")], "(1 2 (3)(4))"),
        ([message("c", "a", "b"), message("b", "a"), message("a")], "(3 2 1)"),
        # 1.A: what others say of a message counts only where it says nothing itself
        ([message("c", "a", "b"), message("b", "x"), message("a"), message("x")], "(3)(4 2 1)"),
        ([message("c", "x", "a"), message("a"), message("x")], "(2 1)(3)"),
        # 1: no loops; nobody is above itself
        ([message("a", "b"), message("b", "a")], "(2 1)"),
        ([message("a", "a")], "(1)"),
        # 1: a Message-ID counts for the first that has it
        ([message("a"), message("a"), message("b", "a")], "(1 3)(2)"),
        # 3: who replied to something that is not here stand together; one alone needs nobody above it
        ([message("b", "a"), message("c", "a")], "((1)(2))"),
        ([message("b", "a", "x"), message("c", "a", "y")], "((1)(2))"),
        ([message("b", "a")], "(1)"),
        # 4, 6: by date, a thread without its first message by the first that is there
        ([message("a", sent=3), message("b", "x", sent=2), message("c", "x", sent=1), message("d")], "(4)((3)(2))(1)"),
        # 5: threads that lost their references, by subject
        ([message("a", subject="S"), message("b", subject="S", reply=True, sent=1)], "(1 2)"),
        ([message("a", subject="S", reply=True), message("b", subject="S", sent=1)], "(2 1)"),
        ([message("a", subject="S"), message("b", subject="S", sent=1)], "((1)(2))"),
        ([message("a", subject="S"), message("b", subject="T")], "(1)(2)"),
        ([message("a"), message("b")], "(1)(2)"),
        (
            [message("a", "x", subject="S"), message("b", "x", subject="S"), message("c", "y", subject="S"),
             message("d", "y", subject="S"), message("e", subject="S", reply=True)],
            "((1)(2)(3)(4)(5))",
        ),
    ],
)  # fmt: skip
def test_references(messages: list[Message], expected: str) -> None:
    assert threaded(*messages) == expected


def test_subjects_in_order_of_their_first_message() -> None:
    messages = [message(subject=subject, sent=sent) for subject, sent in (("B", 3), ("A", 2), ("B", 1), ("B", 2))]
    assert by_subject(messages).write(lambda at: at + 1) == b"(3 (4)(1))(2)"


def test_a_thread_as_deep_as_a_mailbox_in_any_order() -> None:
    names = [str(number) for number in range(20_000)]
    chain = [message(name, *names[max(0, number - 1) : number]) for number, name in enumerate(names)]
    forwards = b"(" + b" ".join(b"%d" % number for number in range(1, 20_001)) + b")"
    assert by_references(chain).write(lambda at: at + 1) == forwards
    assert by_references(chain[::-1]).write(lambda at: 20_000 - at) == forwards


def test_looking_for_loops_comes_to_an_end() -> None:
    names = [str(number) for number in range(20_000)]
    chain = [message(name, *names[max(0, number - 1) : number]) for number, name in enumerate(names)]
    crowd = [message(f"q{number}", f"p{number}") for number in range(10_000)]
    below = [message(f"p{number}", names[-1]) for number in range(10_000)]
    forest = by_references([*chain, *crowd, *below])
    assert len(forest.roots) > 1  # not all were linked
    assert len(re.findall(rb"\d+", forest.write(lambda at: at))) == 40_000


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("hello", ("hello", False)),
        ("Re: [list] hello (fwd)", ("hello", True)),
        ("[list] hello", ("hello", False)),
        ("hello (fwd) ", ("hello", True)),
        ("[Fwd: hello]", ("hello", True)),
        ("FW: hello", ("hello", True)),
    ],
)
def test_replies_are_known_by_their_subjects(subject: str, expected: tuple[str, bool]) -> None:
    assert split_subject(subject) == expected


def test_message_ids() -> None:
    assert message_ids(b' <a@b> junk <"c d"@e> <"f"@g> <no> <h@i@j> <\r\n <k@l>') == (b"a@b", b"c d@e", b"f@g", b"k@l")
    header = b"In-Reply-To: <a@b> <c@d>\r\nReferences: none\r\n"
    assert references(header) == (b"a@b",)
    assert references(b"References: <x@y>\r\n <z@y>\r\n" + header) == (b"x@y", b"z@y")


def test_thread_is_asked_for(talk) -> None:
    client = talk()
    for number in range(4):
        above = f"References: <{number - 1}@x>\r\n" if number else ""
        client.file(f"Message-ID: <{number}@x>\r\n{above}Subject: {number % 2}\r\n\r\n".encode())
    client("a SELECT INBOX")
    client("b STORE 1 +FLAGS (\\Deleted)")
    client("c EXPUNGE")
    assert client("d THREAD REFERENCES UTF-8 ALL") == ["* THREAD (1 2 3)", "d OK Done"]
    assert client("e UID THREAD ORDEREDSUBJECT US-ASCII 1:*")[0] == "* THREAD (2 4)(3)"
    assert client("f THREAD REFERENCES UTF-8 SUBJECT none")[0] == "* THREAD"
    assert client("g THREAD NONE UTF-8 ALL")[0].startswith("g BAD")
    assert client("h THREAD REFERENCES EBCDIC ALL")[0].startswith("h NO [BADCHARSET")

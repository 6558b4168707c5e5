"""A session under any commands: each gets its tagged answer, nothing escapes, and what it tells stays true."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailbox_host.imap.throttle import ACCOUNT_WAIT_SECONDS_MAX, FREE_TRIES, Throttle

MESSAGE = b"From: a@b\r\nSubject: s\r\n\r\nx\r\n"

SETS = st.sampled_from(["1", "2:3", "*", "1:*", "4,1", "9", "*:9", "3:1"])
FLAGS = st.sampled_from(["\\Seen", "\\Deleted", "(\\Flagged \\Seen)", "()", "word", "(\\Recent)", "(\\Deleted A b)"])
BOXES = st.sampled_from(["INBOX", "Sent", "New", "New/Sub", '"a b"', "nowhere", "inbox", '"Cafe\u0301"', "Caf&AOk-"])
ITEMS = st.sampled_from(
    [
        "FLAGS",
        "ALL",
        "(UID MODSEQ)",
        "BODY[]",
        "BODY[1]<0.3>",
        "(ENVELOPE BODYSTRUCTURE)",
        "RFC822",
        "BINARY[1]<0.9>",
        "PREVIEW",
    ]
)
KEYS = st.sampled_from(["ALL", "UNSEEN", "DELETED", "NOT 1", "OR 1 SEEN", "TEXT x", "NEW", "KEYWORD word", "UID 2:*"])
UID = st.sampled_from(["", "UID "])


def command(pattern: str, **parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda **chosen: pattern.format(**chosen), **parts)


COMMANDS = st.one_of(
    command("{u}FETCH {s} {i}", u=UID, s=SETS, i=ITEMS),
    command("{u}STORE {s} {o}FLAGS{q} {f}", u=UID, s=SETS, o=st.sampled_from(["", "+", "-"]),
            q=st.sampled_from(["", ".SILENT"]), f=FLAGS),
    command("{u}{c} {s} {b}", u=UID, c=st.sampled_from(["COPY", "MOVE"]), s=SETS, b=BOXES),
    command("{u}SEARCH {r}{k}", u=UID, r=st.sampled_from(["", "RETURN () ", "RETURN (COUNT MIN) "]), k=KEYS),
    command("{c} {b}", c=st.sampled_from(["SELECT", "EXAMINE", "CREATE", "DELETE", "SUBSCRIBE"]), b=BOXES),
    command("RENAME {a} {b}", a=BOXES, b=BOXES),
    command("STATUS {b} (MESSAGES RECENT UIDNEXT UNSEEN)", b=BOXES),
    command("UID EXPUNGE {s}", s=SETS),
    st.sampled_from(["NOOP", "EXPUNGE", "CHECK", "CLOSE", "UNSELECT", "IDLE", 'LIST "" *', 'LSUB "" %', 
                     "ENABLE CONDSTORE", "ENABLE IMAP4rev2", "ENABLE UTF8=ACCEPT", "UNSUBSCRIBE Sent",
                     "APPEND INBOX {28+}", "APPEND INBOX ~{28+}", "CAPABILITY"]),
)  # fmt: skip


class Mirror:
    """What a client believes of the selected mailbox, from the untagged responses alone."""

    def __init__(self) -> None:
        self.uids: list[int | None] = []

    def hear(self, line: str) -> None:
        if match := re.match(r"\* (\d+) EXISTS", line):
            assert int(match[1]) >= len(self.uids), "only EXPUNGE makes a mailbox smaller"
            self.uids += [None] * (int(match[1]) - len(self.uids))
        elif match := re.match(r"\* (\d+) EXPUNGE", line):
            del self.uids[int(match[1]) - 1]
        elif match := re.match(r"\* (\d+) FETCH \((?:.*? )?UID (\d+)", line):
            known = self.uids[int(match[1]) - 1]
            assert known in (None, int(match[2])), "a message number changed its message"
            self.uids[int(match[1]) - 1] = int(match[2])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), COMMANDS), max_size=25))
def test_sessions_side_by_side(talk, steps):
    clients = [talk() for _ in range(3)]
    mirrors = [Mirror() for _ in clients]
    for _ in range(3):
        clients[0].file(MESSAGE)
    for client, mirror in zip(clients, mirrors, strict=True):
        for line in client("s SELECT INBOX"):
            mirror.hear(line)
    for number, (who, text) in enumerate(steps):
        client, mirror = clients[who], mirrors[who]
        if client.closed:
            continue
        answer = client(f"t{number} {text}")
        if text.startswith(("SELECT", "EXAMINE", "CLOSE", "UNSELECT")) and not answer[-1].startswith(f"t{number} BAD"):
            mirror.uids = []  # what cannot be read changes nothing
        if text == "IDLE" and answer == ["+ idling"]:
            answer = client.news() + ([] if client.closed else client("DONE"))
        elif text.startswith("APPEND"):
            answer += client(MESSAGE + b"\r\n")
        assert client.closed or answer[-1].startswith(f"t{number} "), answer
        assert not any("SERVERBUG" in line for line in answer)
        if re.match("(FETCH|STORE|SEARCH)", text):
            assert not any("EXPUNGE" in line for line in answer[:-1])  # RFC 3501 7.4.1
        for line in answer:
            mirror.hear(line)
        if client.session.selected:
            assert len(mirror.uids) == len(client.session.selected.uids)


def test_who_could_not_be_judged_does_not_wait_the_longer():
    throttle = Throttle()
    for _ in range(50):
        assert throttle.attempt("192.0.2.1", "alice", 0.0) == 0.0
        throttle.undecided("192.0.2.1", "alice")


def test_guessing_becomes_slow_and_nobody_is_locked_out():
    throttle = Throttle()
    waits = [throttle.attempt("192.0.2.1", "alice", 0.0) for _ in range(FREE_TRIES + 10)]
    assert waits[:FREE_TRIES] == [0.0] * FREE_TRIES
    assert waits == sorted(waits) and waits[-1] == 16.0
    assert 0 < throttle.attempt("198.51.100.1", "alice", 1.0) <= ACCOUNT_WAIT_SECONDS_MAX
    assert throttle.attempt("127.0.0.1", "alice", 1.0) == 0.0
    throttle.succeeded("198.51.100.1", "alice")
    assert throttle.attempt("198.51.100.1", "alice", 2.0) == 0.0
    assert throttle.attempt("192.0.2.1", "carol", 2.0) == 16.0
    assert throttle.attempt("192.0.2.1", "carol", 2000.0) == 0.0
    assert throttle.attempt("2001:db8:1:2::3", "x", 0.0) == 0.0
    for _ in range(30):
        throttle.attempt("2001:db8:1:2::3", "y", 0.0)
    assert throttle.attempt("2001:db8:1:2:ffff::9", "z", 0.0) == 16.0
    for guess in range(30):  # however short an address is written
        throttle.attempt(f"2001:db8::{guess:x}", f"a{guess}", 0.0)
    assert throttle.attempt("2001:db8::ffff", "b", 0.0) == 16.0
    assert throttle.attempt("2001:db8:0:1::1", "c", 0.0) == 0.0
    assert throttle.attempt("::ffff:192.0.2.9", "d", 0.0) == 0.0

"""A large COPY or MOVE goes in slices, and looks as if it did not."""

from __future__ import annotations

import pytest

from mailbox_host import entries
from mailbox_host.imap import copying
from store import StoreFull

MESSAGE = b"Subject: a\r\n\r\ntext\r\n"


@pytest.fixture
def alice(talk, monkeypatch):
    """Five messages, two in a slice."""
    monkeypatch.setattr(copying, "COPY_BATCH_MESSAGES", 2)
    client = talk()
    for _ in range(5):
        client.file(MESSAGE)
    client("a SELECT INBOX")
    return client


def failing(monkeypatch, name, calls):
    """Let the disk be full at one of the calls."""
    real, count = getattr(entries, name), iter(range(100))

    def fail(*arguments):
        if next(count) == calls:
            raise StoreFull
        return real(*arguments)

    monkeypatch.setattr(entries, name, fail)


def messages(client, mailbox):
    return client(f"s STATUS {mailbox} (MESSAGES)")[0]


def test_one_copyuid_for_all_of_it(alice):
    (answer,) = alice("b COPY 1:5 Archive")
    assert answer.endswith(" 1:5 1:5] Done")
    answer = alice("c MOVE 5,1:3 Archive")
    assert answer[0].endswith(" 1:3,5 6:9] Moved")
    assert answer[1:] == ["* 1 EXPUNGE"] * 3 + ["* 2 EXPUNGE", "c OK Done"]


def test_others_may_file_between_two_slices(alice, monkeypatch):
    real = entries.copy

    def copy(tx, *arguments):
        pairs = real(tx, *arguments)
        entries.append(tx, "alice", arguments[2], MESSAGE, 0, frozenset(), 0.0)
        return pairs

    monkeypatch.setattr(entries, "copy", copy)
    (answer,) = alice("b COPY 1:5 Archive")
    assert answer.endswith(" 1:5 1:2,4:5,7] Done")


def test_a_copy_that_fails_half_way_leaves_nothing(alice, monkeypatch):
    failing(monkeypatch, "copy", 2)
    assert alice("b COPY 1:5 Archive")[-1].startswith("b NO [UNAVAILABLE]")
    assert messages(alice, "Archive") == '* STATUS "Archive" (MESSAGES 0)'
    assert messages(alice, "INBOX") == '* STATUS "INBOX" (MESSAGES 5)'
    assert alice.store.reader.one("SELECT messages, octets FROM account") == (5, 5 * len(MESSAGE))


def test_a_move_that_fails_half_way_tells_what_has_moved(alice, monkeypatch):
    failing(monkeypatch, "move", 1)
    moved, *gone, end = alice("b MOVE 1:5 Archive")
    assert moved.endswith(" 1:2 1:2] Moved") and gone == ["* 1 EXPUNGE"] * 2
    assert end.startswith("b NO [UNAVAILABLE]")
    assert messages(alice, "Archive") == '* STATUS "Archive" (MESSAGES 2)'
    assert alice("c UID SEARCH ALL")[0] == "* SEARCH 3 4 5"

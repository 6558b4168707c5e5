"""What takes long is not done on the event loop, where everybody else waits for it."""

from __future__ import annotations

import pytest

from mailbox_host.imap import fetch, lists, reading, sections, telling
from mailbox_host.imap.effects import Read

MESSAGE = b"Subject: a\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + b"t=65xt\r\n" * 10


class Watched:
    """A client, and which of its reads went to a thread."""

    def __init__(self, talk, messages=5):
        self.client = talk()
        for _ in range(messages):
            self.client.file(MESSAGE)
        self.client("a SELECT INBOX")
        self.inline, self.long, carry_out = [], [], self.client._carry_out

        def carried_out(effect):
            result = carry_out(effect)
            if isinstance(effect, Read):
                (self.long if effect.long else self.inline).append(result)
            return result

        self.client._carry_out = carried_out

    def __call__(self, text):
        self.inline.clear()
        self.long.clear()
        return self.client(text)


def test_windows_into_a_part_are_cut_in_a_thread_and_decode_it_once(talk, monkeypatch):
    monkeypatch.setattr(fetch, "INLINE_OCTETS_MAX", 5 * len(MESSAGE))
    decoded, real = [], sections.decode_transfer
    monkeypatch.setattr(sections, "decode_transfer", lambda *what: decoded.append(1) or real(*what))
    alice = Watched(talk)
    alice("b FETCH 1 (BINARY.PEEK[1]<0.4>)")
    assert alice.long == [] and len(decoded) == 1
    answer = alice("c FETCH 1 (" + " ".join(f"BINARY.PEEK[1]<{at}.2>" for at in range(20)) + ")")
    assert 'BINARY[1]<0> "te" BINARY[1]<1> "ex" BINARY[1]<2> "xt"' in answer[0]
    assert len(alice.long) == 1 and len(decoded) == 2


def test_messages_that_others_expunged_are_looked_for_in_a_thread(talk, monkeypatch):
    monkeypatch.setattr(reading, "INLINE_MESSAGES_MAX", 3)
    alice, other = Watched(talk), talk()
    other("a SELECT INBOX")
    other("b STORE 2 +FLAGS (\\Deleted)")
    other("c EXPUNGE")
    for _ in range(2):
        assert alice("d SEARCH ALL")[-2] == "* SEARCH 1 3 4 5"
        assert any(type(found) is tuple and len(found[0].uids) == 4 for found in alice.long)
    alice("e NOOP")
    alice("f SEARCH ALL")
    assert any(type(found) is tuple for found in alice.inline)


@pytest.mark.parametrize("change", ["b STORE 1:5 +FLAGS (\\Deleted)", "c EXPUNGE"])
def test_much_that_others_changed_is_read_in_a_thread(talk, monkeypatch, change):
    monkeypatch.setattr(telling, "LINES_AT_ONCE", 3)
    alice, other = Watched(talk), talk()
    other("a SELECT INBOX")
    other("b STORE 1:5 +FLAGS (\\Deleted)")
    alice("d NOOP")
    if change.startswith("c"):
        other(change)
        assert len(alice("e NOOP")) == 6
    assert [len(found) for found in alice.long if isinstance(found, list)] == [5]
    other.file(MESSAGE)
    alice("f NOOP")
    assert not any(isinstance(found, list) for found in alice.long)


def test_sorting_and_matching_names_is_done_in_a_thread(talk, monkeypatch):
    monkeypatch.setattr(lists, "INLINE_FOLDERS_MAX", 3)
    alice = Watched(talk)
    assert alice("b SORT (REVERSE ARRIVAL SIZE) UTF-8 ALL")[0] == "* SORT 1 2 3 4 5"
    assert [0, 1, 2, 3, 4] in alice.long
    assert len(alice('c LSUB "" *')) == 7
    assert any(len(found) == 6 for found in alice.long)

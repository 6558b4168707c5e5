"""Corners of the protocol that a client turns once a year."""

from __future__ import annotations

import pytest

MESSAGE = b"Subject: a\r\n\r\ntext\r\n"
STRANGE = b"Content-Type: image/png\r\nContent-Transfer-Encoding: x-none\r\n\r\npixels\r\n"


@pytest.fixture
def client(talk):
    alice = talk()
    for _ in range(3):
        alice.file(MESSAGE)
    return alice


def test_seen_is_told_where_the_fetch_that_set_it_has_failed(talk):
    alice = talk()
    alice.file(STRANGE)
    alice("a SELECT INBOX")
    answer = alice("b FETCH 1 BINARY[1]")
    assert answer[-1].startswith("b NO [UNKNOWN-CTE]")
    assert answer[:-1] + alice("c NOOP")[:-1] == ["* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent))"]
    alice.file(MESSAGE)
    alice("d NOOP")
    answer = alice("e FETCH 2 BODY[TEXT]")
    assert len(answer) + len(alice("f NOOP")) == 5  # told once: a literal, what follows it, and two ends


def test_modseqs_of_64_bits_and_modifiers_in_any_order(client):
    client("a ENABLE QRESYNC")
    client("b SELECT INBOX")
    large = 9_999_999_999_999_999_999  # RFC 7162 7: 63 bits
    assert client(f"c UID FETCH 1:* FLAGS (CHANGEDSINCE {large} VANISHED)")[-1].startswith("c BAD")
    assert client(f"d STORE 1 (UNCHANGEDSINCE {large}) +FLAGS (x)")[-1].startswith("d BAD")
    client("e STORE 2 +FLAGS (\\Deleted)")
    client("f EXPUNGE")
    wanted = ["* VANISHED (EARLIER) 2", "h OK Done"]
    for modifiers in ("CHANGEDSINCE 4 VANISHED", "VANISHED CHANGEDSINCE 4", "vanished changedsince 4"):
        assert client(f"h UID FETCH 1:* FLAGS ({modifiers})") == wanted
    for modifiers in ("VANISHED", "CHANGEDSINCE", "CHANGEDSINCE 4 FOO", "CHANGEDSINCE 4 VANISHED VANISHED"):
        assert client(f"i UID FETCH 1:* FLAGS ({modifiers})")[-1].startswith("i BAD")


def test_parameters_of_select_in_any_order(client):
    client("a ENABLE QRESYNC")
    uidvalidity = next(line for line in client("b SELECT INBOX") if "UIDVALIDITY" in line).split()[3].rstrip("]")
    resync = f"QRESYNC ({uidvalidity} 3 1:3 (1:3 1:3))"
    wanted = "* 3 FETCH (UID 3 FLAGS () MODSEQ (4))"
    for parameters in (resync, f"CONDSTORE {resync}", f"{resync} CONDSTORE", resync.lower()):
        assert wanted in client(f"c SELECT INBOX ({parameters})")
    for parameters in ("FOO", f"{resync} FOO", f"CONDSTORE {resync} CONDSTORE", "CONDSTORE 1", "QRESYNC (1)"):
        assert client(f"d SELECT INBOX ({parameters})")[-1].startswith("d BAD")


def test_lsub_names_a_level_only_for_what_it_hides(client):
    client("a CREATE Lists/a/b")
    client("b SUBSCRIBE Lists/a/b")
    assert [line for line in client('c LSUB "" *') if "Lists" in line] == ['* LSUB () "/" "Lists/a/b"']
    assert [line for line in client('d LSUB "" %') if "Lists" in line] == ['* LSUB (\\Noselect) "/" "Lists"']
    assert client('e LSUB "" Lists/%') == ['* LSUB (\\Noselect) "/" "Lists/a"', "e OK Done"]
    client("f SUBSCRIBE Lists")
    assert [line for line in client('g LSUB "" %') if "Lists" in line] == ['* LSUB () "/" "Lists"']


def test_a_mailbox_of_several_uses_cannot_be_and_one_of_none_is_a_mailbox(client):
    assert client("a CREATE x (USE (\\Archive \\Junk))")[0].startswith("a NO [USEATTR]")
    assert client("b CREATE x (USE ())")[0].startswith("b OK")
    assert client('c LIST "" x') == ['* LIST (\\HasNoChildren) "/" "x"', "c OK Done"]


def test_status_tells_the_limit_of_an_append(client):
    """RFC 7889 3.1: a client may ask, though it is the same everywhere."""
    assert client("a STATUS Sent (APPENDLIMIT)") == ['* STATUS "Sent" (APPENDLIMIT 36700160)', "a OK Done"]


def test_nothing_is_told_between_the_ok_of_compress_and_the_next_command(client):
    client("a SELECT INBOX")
    client.file(MESSAGE)
    assert client("b COMPRESS DEFLATE") == ["b OK Deflate from here on"]
    assert "* 4 EXISTS" in client("c NOOP")


def test_who_deletes_the_mailbox_that_it_has_open_goes_on(client):
    client("a CREATE Old")
    client("b SELECT Old")
    assert client("c DELETE Old") == ["* OK [CLOSED] Mailbox closed", "c OK Done"]
    assert client("d FETCH 1 FLAGS") == ["d BAD Not while authenticated"]
    assert client("e SELECT INBOX")[-1] == "e OK [READ-WRITE] Done"

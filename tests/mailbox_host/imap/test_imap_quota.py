"""Quota as a client sees it: what it is told, and what it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mailbox_host import quota

LETTER = b"Subject: x\r\n\r\n" + b"y" * 1010  # 1,024 octets


@pytest.fixture
def alice(talk: Callable[..., Any]) -> Any:
    """Alice may keep four letters of 1 KiB."""
    alice = talk()
    alice.store.write_now(lambda tx: quota.set_limits(tx, "alice", 4096, None))
    return alice


def append(talk: Any, letters: int = 1) -> str:
    said = talk(b"a APPEND INBOX" + (b" {1024+}\r\n" + LETTER) * letters + b"\r\n")
    return str(said[-1])


def test_a_client_is_told_what_there_is_and_what_may_be(alice: Any) -> None:
    assert "QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE" in alice("c CAPABILITY")[0]
    append(alice)
    assert alice("q GETQUOTAROOT inbox") == ['* QUOTAROOT "INBOX" ""', '* QUOTA "" (STORAGE 1 4)', "q OK Done"]
    alice.store.write_now(lambda tx: quota.set_limits(tx, "alice", 10_000, 7))
    assert alice('q GETQUOTA ""') == ['* QUOTA "" (STORAGE 1 9 MESSAGE 1 7)', "q OK Done"]
    assert alice("q GETQUOTA other")[-1].startswith("q NO [NONEXISTENT]")
    assert alice("q GETQUOTAROOT Nowhere")[-1].startswith("q NO [NONEXISTENT]")
    assert alice('q SETQUOTA "" (STORAGE 99999)')[-1].startswith("q NO [NOPERM]")
    assert alice('q SETQUOTA "" ()')[-1].startswith("q NO [NOPERM]")
    assert alice('q SETQUOTA "" (STORAGE x)')[-1].startswith("q BAD")


def test_who_has_no_limit_has_no_root(talk: Callable[..., Any]) -> None:
    alice = talk()
    assert alice("q GETQUOTAROOT INBOX") == ['* QUOTAROOT "INBOX"', "q OK Done"]
    assert alice('q GETQUOTA ""')[-1].startswith("q NO")


def test_append_over_quota_stores_nothing(alice: Any) -> None:
    assert append(alice).startswith("a OK")
    assert append(alice, 4).startswith("a NO [OVERQUOTA]")
    assert alice("s STATUS INBOX (MESSAGES)")[0] == '* STATUS "INBOX" (MESSAGES 1)'
    assert append(alice, 3).startswith("a OK")  # to the last octet
    assert append(alice).startswith("a NO [OVERQUOTA]")
    assert alice('q GETQUOTA ""')[0] == '* QUOTA "" (STORAGE 4 4)'


def test_copies_count_and_moves_do_not(alice: Any) -> None:
    for _ in range(3):
        append(alice)
    alice("s SELECT INBOX")
    assert alice("c COPY 1:2 Archive")[-1].startswith("c NO [OVERQUOTA]")
    assert alice("s STATUS Archive (MESSAGES)")[0] == '* STATUS "Archive" (MESSAGES 0)'
    assert alice("c COPY 1 Archive")[-1].startswith("c OK")
    assert alice("c UID COPY 1 Archive")[-1].startswith("c NO [OVERQUOTA]")
    assert alice("m MOVE 1:2 Archive")[-1].startswith("m OK")
    alice("f STORE 1 +FLAGS (\\Deleted)")
    assert alice("s STATUS INBOX (DELETED DELETED-STORAGE)")[0] == '* STATUS "INBOX" (DELETED 1 DELETED-STORAGE 1024)'
    alice("e EXPUNGE")
    assert alice('q GETQUOTA ""')[0] == '* QUOTA "" (STORAGE 3 4)'
    alice("d DELETE Archive")
    assert alice('q GETQUOTA ""')[0] == '* QUOTA "" (STORAGE 0 4)'

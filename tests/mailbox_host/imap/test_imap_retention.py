"""What a client that comes back hears of messages that went by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from mailbox_host import retention
from mailbox_host.settings import Settings
from store import Transaction

DAY = retention.DAY_SECONDS


def test_a_client_that_resumes_hears_of_all_that_went_also_of_what_is_forgotten(
    talk: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "EXPUNGED_KEPT_MAX", 2)
    alice, other = talk(), talk()
    for number in range(9):
        alice.file(b"Subject: %d\r\n\r\n" % number)
    alice("e ENABLE QRESYNC")
    said = "\n".join(alice("s SELECT INBOX"))
    validity, modseq = re.search(r"UIDVALIDITY (\d+)", said), re.search(r"HIGHESTMODSEQ (\d+)", said)
    assert validity and modseq
    alice("u UNSELECT")
    other("s SELECT INBOX")
    for uid in (2, 3, 5, 7):
        other(f"f UID STORE {uid} +FLAGS (\\Deleted)")
        other("e EXPUNGE")

    def let_go(tx: Transaction) -> None:
        retention.set_retention(tx, "alice", "INBOX", None, 4)
        while retention.let_go(tx, 1, Settings(), alice.now):
            pass

    alice.store.write_now(let_go)
    assert alice.store.reader.one("SELECT count(*) FROM expunged")[0] <= 2
    resumed = alice(f"s SELECT INBOX (QRESYNC ({validity[1]} {modseq[1]}))")
    assert "* VANISHED (EARLIER) 1:3,5,7" in resumed and "* 4 EXISTS" in resumed
    assert other("n NOOP") == ["* 1 EXPUNGE", "n OK Done"]

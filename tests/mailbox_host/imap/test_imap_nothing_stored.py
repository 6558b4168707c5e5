"""Where nothing can be stored (a full disk, a standby that is behind, a copy), what is there is read all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mail.control import Welcome
from mailbox_host import timeline
from mailbox_host.imap.effects import Write
from mailbox_host.imap.recent import RecentBook
from store import Bodies, Store, StoreFull, Transaction
from tests.mailbox_host.imap.conftest import NOW, Talk

LETTER = b"From: Bob <bob@b.test>\r\nSubject: =?utf-8?q?gr=C3=BCn?=\r\nMessage-ID: <1@b.test>\r\n\r\nText here\r\n"


class Stuck(Talk):
    """A session of which no write succeeds, once it is `stuck`."""

    stuck = False

    def _carry_out(self, effect: Any) -> Any:
        if self.stuck and isinstance(effect, Write):
            raise StoreFull("no room")
        return super()._carry_out(effect)


@pytest.fixture
def talk(store: Store, recents: RecentBook) -> Callable[..., Stuck]:
    return lambda **options: Stuck(store, recents, **options).sign_in()  # type: ignore[return-value]


def post(tx: Transaction) -> None:
    timeline.welcome(tx, "alice", Welcome("bob", 1, 1), NOW)
    body = Bodies.keep(tx, LETTER)
    timeline.log_post(tx, timeline.Post("bob", 1, body, len(LETTER), NOW))


def test_everything_is_read_and_nothing_is_marked(talk: Callable[..., Stuck], store: Store) -> None:
    alice = talk()
    for _ in range(2):
        alice.file(LETTER)
    store.write_now(post)
    alice.stuck = True
    assert alice("1 SELECT INBOX")[-1].startswith("1 OK [READ-WRITE]")
    for number, item in enumerate(
        ("ENVELOPE", "BODYSTRUCTURE", "BODY", "PREVIEW", "BODY[HEADER.FIELDS (X-TUID MESSAGE-ID)]")
    ):
        *shown, status = alice(f"a{number} FETCH 1:* ({item})")
        assert status == f"a{number} OK Done" and len([line for line in shown if "FETCH (" in line]) == 2, item
        assert "NIL)" not in shown[0] or item == "BODYSTRUCTURE"
    whole = "\n".join(alice("2 FETCH 1 (FLAGS BODY[])"))
    assert "Text here" in whole and "\\Seen" not in whole and "2 OK Done" in whole
    assert alice('3 SEARCH SUBJECT "gr" FROM bob')[-2:] == ["* SEARCH 1 2", "3 OK Done"]
    assert alice("4 SEARCH NOT SUBJECT gr")[-2:] == ["* SEARCH", "4 OK Done"]
    assert alice("5 SORT (SUBJECT) UTF-8 ALL")[-2:] == ["* SORT 1 2", "5 OK Done"]
    assert alice("6 THREAD REFERENCES UTF-8 ALL")[-1] == "6 OK Done"
    assert alice("7 STORE 1 +FLAGS (\\Seen)")[-1].startswith("7 NO [UNAVAILABLE]")
    assert "MESSAGES 2" in alice("8 STATUS INBOX (MESSAGES)")[0]
    alice.stuck = False
    said = alice("9 FETCH 1 (BODY[])")
    assert "\\Seen" in "\n".join(said) and "* 3 EXISTS" in said  # and the post, which was not filed until now


def test_a_mailbox_is_left_all_the_same(talk: Callable[..., Stuck]) -> None:
    """CLOSE has no NO (RFC 3501 6.4.2): a client that hears one may think that the mailbox is open still."""
    alice = talk()
    alice.file(LETTER)
    alice("a SELECT INBOX")
    alice("b STORE 1 +FLAGS (\\Deleted)")
    alice.stuck = True
    why, answer = alice("c CLOSE")
    assert why.startswith("* NO [UNAVAILABLE]") and answer == "c OK Done"
    alice.stuck = False
    assert "* 1 EXISTS" in alice("d SELECT INBOX")

"""Who is turned out because the account moves, while something is under way."""

from __future__ import annotations

import pytest

from mail.control import Welcome
from mailbox_host import timeline
from mailbox_host.accounts import AccountMoved
from mailbox_host.imap.effects import Write
from mailbox_host.refiling import FolderUsedUp
from store import Bodies

MESSAGE = b"Subject: a\r\n\r\ntext\r\n"


def post(tx):
    timeline.welcome(tx, "alice", Welcome("bob", 1, 1, "INBOX"), 1.0)
    body = Bodies.keep(tx, MESSAGE)
    timeline.log_post(tx, timeline.Post("bob", 1, body, len(MESSAGE), 1.0))
    Bodies.release(tx, body)


@pytest.fixture
def alice(talk):
    client = talk()
    client.file(MESSAGE)
    client("a SELECT INBOX")
    client.store.write_now(post)
    return client


def failing(client, error, after):
    """Let writes fail, from this one on."""
    carry_out, left = client._carry_out, iter(range(after))

    def carried_out(effect):
        if isinstance(effect, Write) and next(left, None) is None:
            raise error
        return carry_out(effect)

    client._carry_out = carried_out


def test_who_asks_for_news_while_the_account_goes_is_told_that_it_goes(alice):
    failing(alice, AccountMoved("alice"), 0)
    said = alice("b NOOP")
    assert said[0] == "b OK Done" and said[1].startswith("* BYE [UNAVAILABLE]") and len(said) == 2
    assert alice.closed


def test_what_was_done_before_the_account_went_is_answered(alice):
    """Or the client would append it again."""
    failing(alice, AccountMoved("alice"), 1)
    said = alice(b"b APPEND INBOX {20+}\r\n" + MESSAGE + b"\r\n")
    assert "APPENDUID" in said[-2] and said[-2].startswith("b OK") and said[-1].startswith("* BYE")


def test_a_folder_that_takes_no_more_posts_fails_no_other_command(alice):
    failing(alice, FolderUsedUp("used up"), 0)
    assert alice("b NOOP") == ["b OK Done"]
    assert alice("c SELECT INBOX")[-1].startswith("c NO [LIMIT]")

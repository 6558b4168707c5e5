"""Who is turned out because the account moves, while something is under way."""

from __future__ import annotations

import pytest

from mail.control import Welcome
from mailbox_host import accounts, timeline
from mailbox_host.accounts import AccountMoved
from mailbox_host.bell import Bell
from mailbox_host.imap.effects import NotSignedIn, SignIn, Write
from mailbox_host.imap.proxy import Remote
from mailbox_host.imap.services import Services, local_only
from mailbox_host.imap.stand_in import StandIn
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


async def test_an_account_that_goes_while_its_password_is_checked_is_not_signed_in(store):
    """Its sessions have been ended: one more would look at what is left here, and never hear of anything new."""
    store.write_now(lambda tx: accounts.set_password(tx, "alice", "a hash"))

    class Slow:
        async def check(self, stored, password):
            await store.write(lambda tx: tx.execute("UPDATE account SET away = 1"))
            return stored == "a hash"

    services = Services(store, Bell(), Slow(), lambda: 1.0, locate=local_only, open_stream=None, tls=None)
    outcome = await services.sign_in(SignIn("alice", b"secret", b"a"), "127.0.0.1", relayed=False)
    assert isinstance(outcome, NotSignedIn) and b"[UNAVAILABLE]" in outcome.status


async def test_nor_one_whose_copy_is_put_away_meanwhile(store):
    store.write_now(lambda tx: accounts.set_password(tx, "alice", "a hash"))
    copy, lent = StandIn("host-1", store), [True]

    class Slow:
        async def check(self, stored, password):
            lent.clear()
            return True

    async def borrow(owner, account):
        return copy if lent else None

    services = Services(
        store,
        Bell(),
        Slow(),
        lambda: 1.0,
        locate=lambda account: Remote("host-1"),
        open_stream=None,
        tls=None,
        borrow=borrow,
    )
    outcome = await services.sign_in(SignIn("alice", b"secret", b"a"), "127.0.0.1", relayed=False)
    assert isinstance(outcome, NotSignedIn) and b"[UNAVAILABLE]" in outcome.status

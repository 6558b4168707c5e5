"""Timelines: an account's entries, made from the log when somebody looks.

Law: a post is filed once per account, in log order, and its UID is stored before it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailbox_host.accounts import account_id
from mailbox_host.filing import DUE_BEYOND, file_beyond
from mailbox_host.follows import Follow, covers, followed_sources, follows, goodbye, welcome
from mailbox_host.outward import hands_out, is_outward
from mailbox_host.post_log import Post, anyone_follows, is_logged, left_upto, log_post
from mailbox_host.refiling import file_one
from mailbox_host.retention import had_between
from mailbox_host.sifting import is_wanted, leave_out
from store import Reader, Transaction

__all__ = [
    "Follow",
    "Post",
    "anyone_follows",
    "behind",
    "catch_up",
    "deliver_post",
    "file_ahead",
    "followed_sources",
    "follows",
    "goodbye",
    "log_post",
    "welcome",
]

# A cursor that lags this far is moved even where nothing is due, or `behind` would look through ever more of the log.
LAG_MAX = 10_000


def catch_up(tx: Transaction, account: str) -> int:
    """Make entries of what came since somebody last looked; return how many. Does at most FILED_AT_ONCE_MAX: where
    it returns as many, `behind` says whether to call again."""
    row = tx.one("SELECT id, cursor FROM account WHERE name = ?", (account,))
    return file_beyond(tx, *row) if row else 0


def file_ahead(tx: Transaction, accounts: Iterable[str], most: int) -> None:
    """Make entries for many accounts, at most so many for each: the rest is made when they look."""
    for account in accounts:
        if row := tx.one("SELECT id, cursor FROM account WHERE name = ?", (account,)):
            file_beyond(tx, row[0], row[1], most)


def behind(source: Reader | Transaction, account: str) -> bool:
    """Tell whether `catch_up` would do anything. Costs microseconds while the log stands still, a look-up per follow
    otherwise."""
    row = source.one(
        "SELECT id, cursor, (SELECT coalesce(max(seq), 0) FROM post_log) FROM account WHERE name = ?", (account,)
    )
    if row is None or row[2] <= row[1] or hands_out(source, row[0]):
        return False
    if row[2] - row[1] > LAG_MAX:
        return True
    due = source.one(
        f"""
        SELECT 1 FROM follow f CROSS JOIN post_log l ON l.source = f.source AND {DUE_BEYOND}
        WHERE f.account = ?1 AND f.from_post IS NOT NULL LIMIT 1
        """,
        (row[0], None, row[1]),
    )
    return due is not None


def deliver_post(tx: Transaction, account: str, post: Post) -> bool:
    """Take a logged post that was sent to one account; True where that made an entry, or is the caller's to hand out.

    An account that follows gets it from the log like everyone. One that does not (its welcome is still on the way), or
    of a post that the log has not any more (a new follower's backlog of a slow source), gets it now, unless it had it.
    """
    owner = account_id(tx, account)
    logged = is_logged(tx, post.source, post.number)
    if (logged and covers(tx, owner, post.source, post.number)) or _had(tx, owner, post, logged):
        return False
    if not is_wanted(tx, owner, post.source, post.body):
        leave_out(tx, owner, [(post.source, post.number)])
        return False
    if is_outward(tx):
        leave_out(tx, owner, [(post.source, post.number)])
        return True
    inbox = tx.one("SELECT id FROM folder WHERE account = ? AND name = 'INBOX'", (owner,))
    assert inbox is not None
    file_one(tx, owner, inbox[0], post.body, post.size, post.arrival, (post.source, post.number))
    return True


def _had(tx: Transaction, owner: int, post: Post, logged: bool) -> bool:
    """Of the posts that have left the log, the highest that was had stands for those below it (retention.py)."""
    upto = post.number if logged else max(post.number, left_upto(tx, post.source))
    here = tx.one(
        "SELECT 1 FROM entry WHERE account = ? AND source = ? AND post = ?", (owner, post.source, post.number)
    )
    return here is not None or had_between(tx, owner, post.source, post.number, upto)

"""What was on its way to another server's mailboxes, and did not come there: had no more, or filed here.

Law: what is taken back leaves the queue in the same transaction. `take_back`: only of an account that is away, and only
what its follows cover and the log has, for that is filed when it is asked for (filing.py).
"""

from __future__ import annotations

from mail.headers import Headers
from mailbox_host.folder_names import INBOX
from mailbox_host.folders import find_folder
from mailbox_host.follows import covers
from mailbox_host.refiling import file_one
from store import Bodies, Transaction

DIGITS_MAX = 18  # fits SQLite's integers


def take_back(tx: Transaction, name: str, body: int) -> bool:
    """Tell whether that was such a post: it may leave the queue."""
    row, post = tx.one("SELECT id FROM account WHERE name = ? AND away", (name,)), _post_of(tx, body)
    if row is None or post is None or not covers(tx, row[0], *post):
        return False
    sql = "SELECT 1 FROM post_log WHERE source = ? AND post = ? AND body = ?"  # not what a letter may say of itself
    return tx.one(sql, (*post, body)) is not None and _had_no_more(tx, row[0], post)


def file_back(tx: Transaction, name: str, folder: str, body: int, now: float) -> bool:
    """File it, in INBOX where there is no such folder. False: the account is not here."""
    row = tx.one("SELECT id FROM account WHERE name = ? AND NOT away", (name,))
    if row is None:
        return False
    place = find_folder(tx, name, folder) or find_folder(tx, name, INBOX)
    size = tx.one("SELECT size FROM body WHERE id = ?", (body,))
    assert place is not None and size is not None
    post = _post_of(tx, body)
    file_one(tx, row[0], place.id, body, size[0], now, post if post and _had_no_more(tx, row[0], post) else None)
    return True


def _post_of(tx: Transaction, body: int) -> tuple[str, int] | None:
    headers = Headers.of(Bodies.read_header(tx, body))
    source, number = headers.get("heliograph-source").lower(), headers.get("heliograph-post")
    return (source, int(number)) if number.isascii() and number.isdigit() and len(number) <= DIGITS_MAX else None


def _had_no_more(tx: Transaction, account: int, post: tuple[str, int]) -> bool:
    sql = "DELETE FROM had_post WHERE account = ? AND source = ? AND post = ?"
    return tx.execute(sql, (account, *post)).rowcount == 1

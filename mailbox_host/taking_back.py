"""Posts that were handed out on their way to another server's mailboxes, and did not come there: had no more.

Law: only of an account that is away, and only what its follows cover and the log has: that is filed when it is asked
for (filing.py), and nothing is lost by taking it back.
"""

from __future__ import annotations

from mail.headers import Headers
from mailbox_host.follows import covers
from store import Bodies, Transaction


def take_back(tx: Transaction, name: str, body: int) -> bool:
    """Tell whether that was such a post: it may leave the queue."""
    row = tx.one("SELECT id FROM account WHERE name = ? AND away", (name,))
    headers = Headers.of(Bodies.read_header(tx, body))
    post = headers.get("heliograph-source").lower(), headers.get("heliograph-post")
    sql = "SELECT post FROM post_log WHERE source = ? AND post = ? AND body = ?"  # not what a letter may say of itself
    logged = tx.one(sql, (post[0], int(post[1]), body)) if row and _is_number(post[1]) else None
    if row is None or logged is None or not covers(tx, row[0], post[0], logged[0]):
        return False
    sql = "DELETE FROM had_post WHERE account = ? AND source = ? AND post = ?"
    return tx.execute(sql, (row[0], post[0], logged[0])).rowcount == 1


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18

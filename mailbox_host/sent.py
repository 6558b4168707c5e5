"""Sent: a copy of what an account submits, kept by its host for clients that keep none.

Law: a host makes copies only where the account asks for it, since mail clients store their own and would show two. A
copy is filed once, as seen, by the owner of the account, from a host's word that it was submitted.
"""

from __future__ import annotations

from dataclasses import replace

from mail.envelope import Arrival
from mail.headers import drop_headers
from mail.outcome import Delivered
from mailbox_host.accounts import account_id
from mailbox_host.entry import SEEN
from mailbox_host.folder_names import INBOX, TooManyFolders
from mailbox_host.folders import create_folder, find_folder
from mailbox_host.refiling import append
from mailbox_host.repeats import first_at
from store import Reader, Transaction

SENT = "Sent"
# How a password's check says, from host to host, that the account wants copies.
WELCOME_KEEPING_SENT = Delivered("2.7.0 Welcome; the host keeps what you send", 235)


def keeps_sent(source: Reader | Transaction, account: str) -> bool:
    """Tell whether the host is to keep copies for this account."""
    return source.one("SELECT 1 FROM account WHERE name = ? AND keeps_sent", (account,)) is not None


def set_keeps_sent(tx: Transaction, account: str, on: bool) -> None:
    tx.execute("UPDATE account SET keeps_sent = ? WHERE name = ?", (on, account))


def file_sent(tx: Transaction, account: str, arrival: Arrival) -> None:
    """File a copy, without what hosts told each other in it. A letter to oneself is another message than its copy."""
    copied = replace(arrival, sender=f"{SENT} {arrival.sender}")
    if (at := first_at(tx, account_id(tx, account), copied)) is not None:
        content = drop_headers(arrival.content, ("dkim-signature",), prefix="heliograph-")
        append(tx, account, _folder(tx, account, arrival.now), content, SEEN, frozenset(), at)


def _folder(tx: Transaction, account: str, now: float) -> int:
    row = tx.one(
        """
        SELECT id FROM folder WHERE account = ? AND (special_use = '\\Sent' OR name = ?)
        ORDER BY special_use = '\\Sent' DESC, id LIMIT 1
        """,
        (account_id(tx, account), SENT),
    )
    if row:
        return int(row[0])
    try:
        return create_folder(tx, account, SENT, now, "\\Sent").id
    except TooManyFolders:  # better there than in the queue, for ever
        inbox = find_folder(tx, account, INBOX)
        assert inbox is not None
        return inbox.id

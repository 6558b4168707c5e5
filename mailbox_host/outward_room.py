"""The mailbox room of a host whose mailboxes another server keeps: letters are sent on to it, posts are handed out.

Law: what a repeat is, is judged here, before anything is sent on; from then on the queue answers for it, a row for each
recipient, until the other server has taken it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from directory.names import Name, Timeline
from directory.snapshot import Directory
from mail.envelope import Arrival, Outgoing, Receipt, Recipient
from mail.headers import drop_headers
from mailbox_host.accounts import account_id
from mailbox_host.bell import Bell
from mailbox_host.folder_names import INBOX
from mailbox_host.repeats import is_first
from mailbox_host.room import REPEATED, MailboxRoom
from mailbox_host.sent import SENT
from mailbox_host.settings import Settings
from store import Reader, Transaction, events

Shelf = Callable[[str, str], str]  # (account, folder) -> the address that the queue takes to the other server


class OutwardRoom(MailboxRoom):
    """`wake` is called when there may be posts to hand out (outward.py)."""

    def __init__(
        self, host: str, directory: Callable[[], Directory], bell: Bell, settings: Settings, shelf: Shelf
    ) -> None:
        super().__init__(host, directory, bell, settings)
        self.shelf = shelf
        self.wake: Callable[[], object] = lambda: None

    def is_full(self, reader: Reader, name: Timeline) -> bool:
        """The other server is asked: it keeps the count."""
        return False

    def receive(self, tx: Transaction, arrival: Arrival, name: Name) -> Receipt:
        tx.after_commit(lambda: self.wake())
        return super().receive(tx, arrival, name)

    def _post_for_one(self, tx: Transaction, arrival: Arrival, account: str) -> Receipt:
        return self._sent_on("", arrival.content, account, INBOX, arrival.signed_by)

    def _sent(self, tx: Transaction, arrival: Arrival, account: str) -> Receipt:
        if not is_first(tx, account_id(tx, account), replace(arrival, sender=f"{SENT} {arrival.sender}")):
            return Receipt(REPEATED)
        content = drop_headers(arrival.content, ("dkim-signature",), prefix="heliograph-")
        return self._sent_on("", content, account, SENT)

    def _personal(self, tx: Transaction, arrival: Arrival, account: str) -> Receipt:
        if not is_first(tx, account_id(tx, account), arrival):
            return Receipt(REPEATED)
        events.append(tx, arrival.now, "filed", account=account)
        return self._sent_on(arrival.sender, arrival.content, account, INBOX)

    def _sent_on(self, sender: str, content: bytes, account: str, folder: str, signed_by: str = "") -> Receipt:
        to = (Recipient(self.shelf(account, folder)),)
        return Receipt(outgoing=(Outgoing(sender, to, content, signed_by=signed_by),))

"""Showing the accounts of a host that is away, from the copy of its database that its standby keeps.

Law: a copy is read and never written. What is remembered by the numbers of folders is remembered for each copy apart:
they are another database's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mailbox_host.imap.responses import no
from mailbox_host.imap.shelf import Shelf
from store.lent import LentStore

# What changes something, or would have to: refused in words, before the copy refuses it.
CHANGING = frozenset(
    {"CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "APPEND", "STORE", "EXPUNGE", "COPY", "MOVE"}
)
CLOSED = b"[UNAVAILABLE] This copy of the mailbox is closed, come back in a moment"
# What a password that is right for the copy is answered: between hosts, these words tell that it was not the owner.
FOR_READING = b"signed in for reading only"
# The owner judges passwords: one that was changed lately the copy may not know, and a client that hears of a wrong one
# asks its user for another.
NOT_HERE = no(
    "The host of this account is away, and the copy of it knows another password, try again later", "UNAVAILABLE"
)


@dataclass(slots=True, eq=False)
class StandIn:
    """The open copy of the database of the host `owner`, which is away."""

    owner: str
    store: LentStore
    shelf: Shelf = field(default_factory=Shelf)
    closed: bool = False


Borrow = Callable[[str, str], Awaitable[StandIn | None]]
"""The copy to show an account from (its owner, the account); None where there is none, or it is not to be shown."""


async def nobody(owner: str, account: str) -> StandIn | None:
    """Borrow for a host that stands by for nobody."""
    return None


def signed_in(owner: str) -> str:
    return f"{owner} is away: {FOR_READING.decode()}, from a copy; nothing can be changed until it is back"


def refused(owner: str) -> bytes:
    return no(f"{owner}, the host of this account, is away: nothing can be changed until it is back", "UNAVAILABLE")

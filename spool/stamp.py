"""What is done to mail that leaves for a foreign mailbox, at its last hop.

Law: the spool does not know what that is. It asks once per message, and sort of mailbox, for what all those copies have
in common, which is kept and shared, and once per transaction for what goes in front of that and behind it: a post to
10,000 is one stored body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from spool.queue import Message

Front = Callable[[str, float], bytes]  # (return path, now) -> the copy's own header fields, signatures among them
Back = Callable[[str], bytes]  # return path -> how the copy's text goes on


def nothing_in_front(sender: str, now: float) -> bytes:
    return b""


def nothing_behind(sender: str) -> bytes:
    return b""


class Departing(NamedTuple):
    """`content`: what all copies share, CRLF only. `back` adds no octet beyond ASCII where that has none."""

    content: bytes
    front: Front = nothing_in_front
    back: Back = nothing_behind


class Stamp(Protocol):
    """Called with a message's content, its row, and the sort of mailbox that this is for."""

    def __call__(self, content: bytes, about: Message, sort: str, /) -> Departing: ...

    def sort(self, mailbox: str, /) -> str:
        """Tell of what sort a mailbox is; there are few. Copies for one sort have their content in common; so have
        mailboxes that share a return path, whatever their sort."""
        ...

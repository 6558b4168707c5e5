"""What is done to mail that leaves for a foreign mailbox, at its last hop.

Law: the spool does not know what that is. It asks once per message for what all its copies have in common, which is
kept and shared, and once per transaction for what goes in front of that: a post to 10,000 is one stored body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from spool.queue import Message

Front = Callable[[str, float], bytes]  # (return path, now) -> the copy's own header fields, signatures among them


class Departing(NamedTuple):
    """`content`: what all copies share, CRLF only."""

    content: bytes
    front: Front


Stamp = Callable[[bytes, Message], Departing]


def nothing_in_front(sender: str, now: float) -> bytes:
    return b""

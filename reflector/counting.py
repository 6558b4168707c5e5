"""How many follow a source: told to the host that polls its feed, when it asks.

Law: what the root knows, or nothing: its own rows, what its branches and leaves last reported, and the accounts of its
own host, for whom no list has rows. A branch that has not reported yet makes the number unknown.
"""

from __future__ import annotations

import hashlib
from email.utils import formatdate

from mail.control import Control, Followers, add_controls
from mail.envelope import Arrival, Outgoing, Receipt, Recipient
from mail.feed_control import TellFollowers
from mail.headers import header_line
from reflector.letter import House
from reflector.nodes import branches
from reflector.sources import find_source
from reflector.tree import LEAF, SUB, is_root
from store import Transaction


def count(house: House, tx: Transaction, name: str) -> int | None:
    """Return how many follow a source whose root is here; None where that is not known."""
    source = find_source(tx, name)
    if source is None or not is_root(name):
        return None
    below = [branch for kind in (SUB, LEAF) for branch in branches(tx, name, kind)]
    if any(branch.total == 0 for branch in below):  # given followers, and not heard of since
        return None
    return source.subscribers + sum(branch.total for branch in below) + house.local(tx, name)


def take_questions(
    house: House, tx: Transaction, arrival: Arrival, name: str, controls: list[Control]
) -> Receipt | None:
    """Answer how many follow; None where something else is wanted."""
    asked = [control for control in controls if isinstance(control, TellFollowers) and control.source == name]
    if not asked or len(asked) != len(controls):
        return None
    followers = count(house, tx, name)
    if followers is None:
        return Receipt()
    return Receipt(outgoing=tuple(_answer(house, each, followers, arrival.now) for each in asked))


def _answer(house: House, asked: TellFollowers, followers: int, now: float) -> Outgoing:
    names = house.names
    to = names.follow(asked.bucket % names.buckets)
    seed = f"{asked} {followers} {now}".encode()
    fields = [
        ("From", names.reflector(asked.source, "help")),
        ("To", to),
        ("Subject", f"followers {asked.source}"),
        ("Date", formatdate(now)),
        ("Message-ID", f"<{hashlib.blake2b(seed, digest_size=16).hexdigest()}.count@reflectors.{names.domain}>"),
        ("Auto-Submitted", "auto-generated"),  # RFC 3834 5
    ]
    head = b"".join(header_line(*field) for field in fields)
    return Outgoing("", (Recipient(to),), add_controls(head + b"\r\n", Followers(asked.source, followers)), signed=True)

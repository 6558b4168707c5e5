"""Mail between the lists of one tree: how it is written, and whom it is believed from.

Law: what one end says counts only under the signature of the host that serves that end, by the zone of this moment.
Anybody else's word changes nothing and is put off: the zone here may be behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from email.utils import formatdate

from mail.control import add_controls, control_field
from mail.envelope import Arrival, Outgoing, Recipient
from mail.follower_rows import Row, read_rows, write_rows
from mail.headers import header_line, split_message
from mail.outcome import Deferred
from mail.tree_control import TreeControl
from reflector.letter import House
from reflector.nodes import has_leaf
from reflector.tree import LEAF, node_of, source_of
from store import Transaction

Mails = tuple[Outgoing, ...]


def address_of(house: House, list_: str) -> str:
    """Return where a list takes its control mail."""
    source, node = source_of(list_), node_of(list_)
    return house.names.reflector_inside(source, f"sub.{node}" if node else "control")


def branch_address(house: House, list_: str, kind: str, name: str) -> str:
    return house.names.leaf(source_of(list_), name) if kind == LEAF else address_of(house, name)


def write(house: House, to: Sequence[str], control: TreeControl, now: float, rows: Iterable[Row] = ()) -> Mails:
    """Write a control, with rows in the body."""
    names, body = house.names, write_rows(rows)
    seed = f"{control_field(control)} {' '.join(to)} {body}".encode()
    fields = [
        ("From", names.reflector(control.source, "help")),
        ("To", to[0]),
        ("Subject", f"{type(control).__name__.lower()} {control.source}"),
        ("Date", formatdate(now)),
        ("Message-ID", f"<{hashlib.blake2b(seed, digest_size=16).hexdigest()}.tree@reflectors.{names.domain}>"),
        ("Auto-Submitted", "auto-generated"),  # RFC 3834 5
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=us-ascii"),
    ]
    content = b"".join(header_line(name, value) for name, value in fields) + b"\r\n" + body.encode()
    sender = names.reflector_inside(control.source, "bounce")
    recipients = tuple(Recipient(address) for address in to)
    return (Outgoing(sender, recipients, add_controls(content, control), signed=True),)


def rows_of(arrival: Arrival) -> list[Row]:
    """Read the rows in a control's body; ValueError where they are none."""
    return read_rows(split_message(arrival.content)[1])


def speaks_for(house: House, arrival: Arrival, list_: str) -> bool:
    """Tell whether a list's own host wrote this."""
    return house.directory.speaks_for("reflectors", house.names.bucket(list_), arrival.signed_by)


def needs_no_row(house: House, tx: Transaction, list_: str, entity: str) -> bool:
    """Tell whether an account's host gets one copy for all who live there: this very host, and one with a leaf."""
    home = house.home(entity)
    return house.holds_now(tx, entity) if home == house.host else has_leaf(tx, list_, home)


def not_yet(list_: str) -> Deferred:
    return Deferred(f"4.7.1 Not signed by the host of {list_}")

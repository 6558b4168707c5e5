"""A post on its way down: what a sub-reflector does with it.

Law: believed under the signature of the root's host, which stays on: a post is passed on byte for byte. Each is passed
on once, to every interval that contains its number, late or not: mail is not ordered.
"""

from __future__ import annotations

from mail.envelope import Arrival, Receipt
from mail.outcome import Deferred, Delivered, Refused
from reflector.expansion import counts, expand
from reflector.letter import House
from reflector.sources import find_source, keep_recent, see_number
from reflector.tree import source_of
from reflector.tree_mail import not_yet, speaks_for
from store import Transaction, events

NUMBER_DIGITS_MAX = 18  # fits SQLite's integers


def relay_post(house: House, tx: Transaction, arrival: Arrival, list_: str) -> Receipt:
    """Take a post for ``bob+sub.7``."""
    post = read_number(arrival, source_of(list_))
    if not post or arrival.authenticated:
        return Receipt(Refused("5.7.1 Only the source's reflector posts here"))
    if not speaks_for(house, arrival, source_of(list_)):
        return Receipt(not_yet(source_of(list_)))
    source = find_source(tx, list_)
    if source is None:  # what hands it over is still on the way
        return Receipt(Deferred(f"4.2.1 {list_} is not here yet"))
    if not is_first(tx, list_, post, arrival.now):
        return Receipt(Delivered("2.0.0 Ok, was here before"))
    see_number(tx, list_, post + 1)
    keep_recent(tx, source, post, arrival.content)
    outgoing = expand(house, tx, list_, post, arrival.content, signed_by=arrival.signed_by)
    events.append(tx, arrival.now, "relayed", source=list_, post=post, **counts(outgoing))
    return Receipt(Delivered(f"2.0.0 Ok: post {post}"), (outgoing,) if outgoing.recipients else ())


def read_number(arrival: Arrival, source: str) -> int:
    """Return the number of a signed post of this source; 0 where it is none."""
    number = arrival.headers.get("heliograph-post")
    if not arrival.signed_by or arrival.headers.get("heliograph-source") != source:
        return 0
    return int(number) if number.isascii() and number.isdigit() and len(number) <= NUMBER_DIGITS_MAX else 0


def is_first(tx: Transaction, list_: str, post: int, now: float) -> bool:
    return bool(tx.execute("INSERT OR IGNORE INTO relayed VALUES (?, ?, ?)", (list_, post, now)).rowcount)

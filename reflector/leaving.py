"""The way out that every copy for the outside carries: ``bob+leave.TOKEN@``, by mail or by a click.

Law: whoever holds the token has read the mail, and may end that one subscription; nothing else. Once more changes
nothing. A click is not answered by mail; who writes is told.
"""

from __future__ import annotations

from dataclasses import replace

from mail.envelope import Receipt
from reflector.command_words import Command
from reflector.commands import BUSY, obey
from reflector.letter import Letter, drop
from reflector.repeats import drop_repeats, taken
from reflector.routing import WAIT, place_in
from reflector.sources import find_source, lists_of
from reflector.subscriptions import read_subscriber, subscriber_of_token
from store import Reader, Transaction


def find_row(place: Reader | Transaction, source: str, token: str) -> tuple[str, str] | None:
    """Return (list, address) of whom a token was made for, on this host."""
    for list_ in lists_of(place, source):
        address = subscriber_of_token(place, list_, token)
        if address:
            return list_, address
    return None


def take_leave(letter: Letter) -> Receipt:
    """End the subscription that a token names, wherever it is served now."""
    if repeated := drop_repeats(letter):
        return repeated
    row = find_row(letter.tx, letter.source.name, letter.door.partition(".")[2])
    source = find_source(letter.tx, row[0]) if row else None
    who = read_subscriber(letter.house.names, row[1]) if row else None
    if source is None or who is None:
        return drop(letter, "a way out that leads nowhere")
    there = replace(letter, source=source)
    if place_in(there, who) == WAIT:
        return Receipt(BUSY)
    return taken(letter, obey(there, who, Command("unsubscribe"), quiet=not letter.arrival.sender))

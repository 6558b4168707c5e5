"""Asking for a subscriber's word, and taking it.

Law: nobody is subscribed, nor unsubscribed, on the strength of a From field. A token is good once, for one address and
one action, for three days; and only its address ever saw it.
"""

from __future__ import annotations

from dataclasses import dataclass

from mail.envelope import Outgoing
from mail.outcome import Refused
from reflector.answers import question, voice
from reflector.courtesy import may_write
from reflector.letter import Letter
from reflector.settings import DAY_SECONDS
from reflector.subscriptions import Subscriber, read_subscriber
from reflector.tokens import fingerprint, is_token, make_token, same
from store import Reader, Transaction
from store.transaction import Row

CONFIRM = "confirm"
POST = "post"  # the action by which a mailbox lets a source's owner post from it


@dataclass(frozen=True, slots=True)
class Confirmed:
    """`action`: subscribe, unsubscribe or post."""

    who: Subscriber
    action: str
    folder: str


def ask(letter: Letter, who: Subscriber, action: str, folder: str) -> tuple[Outgoing, ...]:
    """Write to an address whether it wants this; silently not, if it was asked today."""
    tx, arrival, settings = letter.tx, letter.arrival, letter.house.settings
    if not may_write(letter, who, f"{CONFIRM}-{POST}" if action == POST else CONFIRM, proven=False):
        return ()
    parts = (letter.source.name, who.address, action, letter.envid, repr(arrival.now))
    token = make_token(letter.house.key, CONFIRM, *parts)
    tx.execute(
        "INSERT OR REPLACE INTO confirmation VALUES (?, ?, ?, ?, ?, ?)",
        (
            fingerprint(letter.house.key, token),
            letter.source.name,
            who.address,
            action,
            folder,
            arrival.now + settings.confirm_seconds,
        ),
    )
    letter.tell("asked", address=who.address, action=action)
    text = voice(letter).confirm(action, who.address, settings.confirm_seconds // DAY_SECONDS)
    return (question(letter, who, text, token),)


def is_asked(reader: Reader | Transaction, key: bytes, source: str, token: str) -> bool:
    """Tell whether a token was given out and not used: nobody else's mail is taken for it."""
    return _asked(reader, key, source, token) is not None


def _asked(place: Reader | Transaction, key: bytes, source: str, token: str) -> Row | None:
    """Find a question, by this host's key or by those of hosts that the source has come from."""
    keys = [key, *(row[0] for row in place.all("SELECT key FROM former_key WHERE source = ?", (source,)))]
    for print_ in (fingerprint(one, token) for one in keys):
        row = place.one(
            "SELECT fingerprint, address, action, folder, expires FROM confirmation"
            " WHERE fingerprint = ? AND source = ?",
            (print_, source),
        )
        if row is not None and same(row[0], print_):
            return row
    return None


def find_asked(letter: Letter, token: str) -> Confirmed | Refused:
    """Tell what a token confirms, without taking it."""
    again = f"ask again: {voice(letter).at('subscribe')}"
    row = _asked(letter.tx, letter.house.key, letter.source.name, token)
    if not is_token(token) or row is None:
        return Refused(f"5.7.1 This confirmation is unknown, or was used already; {again}")
    if row[4] <= letter.arrival.now:
        return Refused(f"5.7.1 This confirmation has expired; {again}")
    who = read_subscriber(letter.house.names, row[1])
    return Confirmed(who, row[2], row[3]) if who else Refused("5.1.3 This address cannot follow")


def redeem(letter: Letter, token: str) -> Confirmed | Refused:
    """Take a token: good once, and an expired one not at all."""
    found = find_asked(letter, token)
    if row := _asked(letter.tx, letter.house.key, letter.source.name, token):
        letter.tx.execute("DELETE FROM confirmation WHERE fingerprint = ?", (row[0],))
    return found

"""Addresses elsewhere from which an owner posts: which there are, and whether a mailbox said yes.

Law: an address counts from the moment its own mailbox confirmed, and posts only under a true seal of its domain, which
the door of whatever host takes the mail in has checked (``Heliograph-Proven``). Hosts ask each other by RCPT whether a
source has one (``bob+by.HASH@``): strangers are not told.
"""

from __future__ import annotations

import base64
import hashlib

from mail.envelope import Outgoing
from reflector.answers import answer, voice
from reflector.confirmations import POST
from reflector.courtesy import reply
from reflector.letter import Letter, untitled
from reflector.subscriptions import Subscriber
from reflector.texts import Text
from store import Reader, Transaction

SENDERS_MAX = 5  # of one source: each is one more mailbox whose loss lets somebody post
BY = "by."  # the detail of the address by which hosts ask

_HASH_OCTETS = 15


def posts_from(place: Reader | Transaction, source: str, address: str) -> bool:
    """Tell whether a source's owner posts from an address."""
    sql = "SELECT 1 FROM sender_address WHERE list = ? AND address = ? AND list NOT IN (SELECT list FROM away)"
    return bool(address) and place.one(sql, (source, address)) is not None


def question_about(address: str) -> str:
    """Return the detail of the address that exists if a source's owner posts from this one."""
    digest = hashlib.blake2b(address.encode(), digest_size=_HASH_OCTETS, person=b"sender address").digest()
    return BY + base64.b32encode(digest).decode().lower()


def has_sender(reader: Reader | Transaction, source: str, detail: str) -> bool:
    """Answer such a question."""
    return any(posts_from(reader, source, one) for one in senders(reader, source) if question_about(one) == detail)


def senders(place: Reader | Transaction, source: str) -> list[str]:
    rows = place.all("SELECT address FROM sender_address WHERE list = ? ORDER BY address", (source,))
    return [address for (address,) in rows]


def add_sender(letter: Letter, who: Subscriber) -> tuple[Outgoing, ...]:
    """A mailbox has said that the owner may post from it; both are told."""
    tx, name = letter.tx, letter.source.name
    fits = who.address in senders(tx, name) or len(senders(tx, name)) < SENDERS_MAX
    if fits:
        tx.execute("INSERT OR IGNORE INTO sender_address VALUES (?, ?, ?)", (name, who.address, letter.arrival.now))
        letter.tell("sender-added", address=who.address)
    owner, spoken = letter.source.owner, voice(letter)
    word = spoken.posts_from(who.address) if fits else spoken.enough_senders(SENDERS_MAX)
    herself = Subscriber(letter.house.names.person(owner), owner)
    return (answer(letter, herself, word), *reply(untitled(letter), who, word, proven=True))


def remove_sender(letter: Letter, address: str) -> bool:
    """Take an address away, and the question that it has not answered; False where there is neither."""
    tx, name = letter.tx, letter.source.name
    asked = "DELETE FROM confirmation WHERE source = ? AND address = ? AND action = ?"
    gone = tx.execute(asked, (name, address, POST)).rowcount
    gone += tx.execute("DELETE FROM sender_address WHERE list = ? AND address = ?", (name, address)).rowcount
    if gone:
        letter.tell("sender-removed", address=address)
    return gone > 0


def told(letter: Letter, note: str) -> Text:
    """What an owner is answered: what came of it, and how it stands now."""
    return voice(letter).senders(note, senders(letter.tx, letter.source.name))

"""Other fabrics that mirror a source of ours: one follower each, however many people read there.

Law: a fabric is obeyed under its own domain's seal, for the one address that mirrors this source there. What it says is
numbered, and an older word than the last is not heard: whoever kept one cannot use it again.
"""

from __future__ import annotations

from dataclasses import replace

from mail.address import mirror_name, mirrored
from mail.between_fabrics import FIELD, WISHES, Word, read_word
from mail.envelope import Outgoing, Receipt
from mail.headers import add_headers, first_addr_spec
from reflector.answers import answer, voice
from reflector.command_words import Command
from reflector.commands import BUSY, obey
from reflector.letter import Letter, drop
from reflector.repeats import taken
from reflector.routing import HERE, WAIT, place_in
from reflector.subscriptions import Subscriber, open_interval, read_subscriber
from reflector.texts import Text


def is_mirror_of(domain: str, source: str, address: str) -> str:
    """Return the fabric whose mirror of our source has this address, as the address says; "" where it is none."""
    local, _, where = address.partition("@")
    fabric = where.removeprefix("reflectors.")
    return fabric if where != fabric and local and local == mirror_name(source, domain) else ""


def mirrors_us(domain: str, address: str) -> bool:
    """Tell whether a mailbox is, as its address says, another fabric's mirror of some source of ours."""
    local, _, where = address.partition("@")
    named = mirrored(local) if where.startswith("reflectors.") else None
    return named is not None and named[1] == domain


def take_wish(letter: Letter) -> Receipt:
    """Carry out what another fabric wants for its mirror."""
    names, arrival, source = letter.house.names, letter.arrival, letter.source
    word, sender = read_word(arrival.headers.all(FIELD)), first_addr_spec(arrival.headers.get("from"))
    who = read_subscriber(names, sender)
    if word is None or word.word not in WISHES or word.word != letter.door or who is None:
        return drop(letter, "no wish of a mirror's")
    if is_mirror_of(names.domain, source.name, sender) != arrival.fabric:
        return drop(letter, "not a mirror of this source")
    if place_in(letter, who) == WAIT:
        return Receipt(BUSY)
    if not _is_news(letter, word):
        return drop(letter, "an old wish")
    outgoing = obey(letter, who, Command(word.word), quiet=True)
    return taken(letter, (*(mail for mail in outgoing if mail.sender), _answer(letter, who, word)))


def _is_news(letter: Letter, word: Word) -> bool:
    values = (letter.source.name, letter.arrival.fabric, word.number)
    sql = "INSERT INTO fabric_wish VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET number = excluded.number"
    return bool(letter.tx.execute(f"{sql} WHERE number < excluded.number", values).rowcount)


def _answer(letter: Letter, who: Subscriber, wish: Word) -> Outgoing:
    """Say how it stands now. That another list of the tree serves it we know only by having passed it on."""
    follows = place_in(letter, who) != HERE or open_interval(letter.tx, letter.source.list, who.address) is not None
    said = "left" if wish.word == "unsubscribe" else "following" if follows else "full"
    spoken = voice(letter)
    text = {"left": spoken.goodbye(), "following": spoken.welcome(), "full": spoken.full()}[said]
    mail = answer(letter, who, Text(f"mirror-{said}", text.subject, text.body))
    return replace(mail, content=add_headers(mail.content, [(FIELD, str(Word(said, wish.number)))]))

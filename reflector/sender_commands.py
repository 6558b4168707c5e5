"""What an owner writes to ``bob+senders@``: add, remove or list the addresses elsewhere from which she posts.

Law: only the owner, signed in, is heard: an address that she posts from cannot let in another one. What she adds counts
for nothing before its own mailbox has confirmed.
"""

from __future__ import annotations

import re

from mail.envelope import Outgoing, Receipt
from reflector.answers import answer
from reflector.command_words import first_line, subject_of
from reflector.commands import carry_out, drop_automatic
from reflector.confirmations import POST, ask
from reflector.courtesy import may_write
from reflector.letter import Letter, Step, drop, untitled, walk
from reflector.repeats import drop_repeats, taken
from reflector.senders import SENDERS_MAX, remove_sender, senders, told
from reflector.subscriptions import Subscriber, read_subscriber

DOOR = "senders"

_WISH = re.compile(r"(add|remove)\s+<?([^\s<>]{3,254})>?\s*\Z", re.IGNORECASE)

Mails = tuple[Outgoing, ...]


def obey_owner(letter: Letter) -> Receipt | None:
    if not letter.by_owner:
        return None
    found = (_WISH.match(text.strip()) for text in (subject_of(letter.arrival), first_line(letter.arrival)))
    wish = next((match for match in found if match), None)
    owner = letter.source.owner
    herself = Subscriber(letter.house.names.person(owner), owner)
    if not may_write(letter, herself, DOOR, proven=True):  # each may be a question to somebody whom she only names
        return drop(letter, "the day's answers are used up")
    note, mails = _do(letter, wish[1].lower(), wish[2]) if wish else ("", ())
    return taken(letter, (*mails, answer(letter, herself, told(letter, note))))


def _do(letter: Letter, word: str, text: str) -> tuple[str, Mails]:
    who = read_subscriber(letter.house.names, text)
    if who is None or who.entity or not who.address.isascii():
        return "That is no address elsewhere; from the one here you post signed in.", ()
    if word == "remove":
        gone = remove_sender(letter, who.address)
        return (f"{who.address} does not post here any more." if gone else f"{who.address} was not among them."), ()
    return _add(letter, who)


def _add(letter: Letter, who: Subscriber) -> tuple[str, Mails]:
    known = senders(letter.tx, letter.source.name)
    if who.address in known:
        return f"{who.address} is among them already.", ()
    if len(known) >= SENDERS_MAX:
        return f"There are {SENDERS_MAX} already, and no more are taken: remove one first.", ()
    asked = ask(untitled(letter), who, POST, "")  # it is somebody else's mailbox until it says yes
    if not asked:
        return f"{who.address} was asked today already: look for that mail there, or try again tomorrow.", ()
    return f"{who.address} was asked: reply to that mail from there, and it counts.", asked


SENDER_STEPS: tuple[Step, ...] = (drop_automatic, drop_repeats, obey_owner, carry_out)


def take_senders(letter: Letter) -> Receipt:
    return walk(SENDER_STEPS, letter)

"""Commands: subscribe, unsubscribe, help, and the confirmation of what a stranger asked.

Law: a signed-in user of the fabric is obeyed at once, for herself alone, and so is an address elsewhere whose domain
has sealed this command; for everyone else the address in From is asked first. A machine is neither obeyed nor answered.
"""

from __future__ import annotations

from mail.address import is_entity
from mail.envelope import Outgoing, Receipt
from mail.headers import first_addr_spec
from mail.outcome import Deferred, Refused
from mail.tree_control import Relay
from reflector.answers import voice
from reflector.automatic import why_automatic
from reflector.command_words import Command, first_line, read_folder, read_line, subject_of
from reflector.confirmations import POST, Confirmed, ask, find_asked, is_asked, redeem
from reflector.courtesy import forget_asking, reply
from reflector.letter import Letter, Step, drop, untitled, walk
from reflector.membership import follow, leave
from reflector.repeats import drop_repeats, taken
from reflector.routing import HERE, HOPS_MAX, WAIT, Elsewhere, pass_on, place_in, place_of_relayed, send_on
from reflector.senders import add_sender
from reflector.subscriptions import Subscriber, open_interval, read_subscriber

BUSY = Deferred("4.2.1 This part of the list is being handed over; it will not take long")


def drop_automatic(letter: Letter) -> Receipt | None:
    reason = why_automatic(letter.arrival, letter.house.names)
    return drop(letter, reason) if reason else None


def take_confirmation(letter: Letter) -> Receipt | None:
    """Whoever holds the token speaks for its address, from whatever address he replies."""
    word, _, token = letter.door.partition(".")
    if word != "confirm":
        return None
    asked = find_asked(letter, token)
    if isinstance(asked, Confirmed) and place_in(letter, asked.who) == WAIT:
        return Receipt(BUSY)
    was_asked = is_asked(letter.tx, letter.house.key, letter.source.name, token)
    confirmed = redeem(letter, token)
    if isinstance(confirmed, Refused):
        return Receipt(confirmed) if was_asked else _deny(letter, confirmed)  # who is late hears of it, once
    forget_asking(letter, confirmed.who)
    if confirmed.action == POST:
        return taken(letter, add_sender(letter, confirmed.who))
    outgoing = obey(letter, confirmed.who, Command(confirmed.action, confirmed.folder))
    return taken(letter, outgoing)


def carry_out(letter: Letter) -> Receipt | None:
    proven, who = is_proven(letter), correspondent(letter)
    if who is None:
        return _deny(letter, Refused("5.1.7 The From address is none that can follow"))
    letter = letter if proven else untitled(letter)
    command = command_of(letter)
    if command is None or command.word == "help":
        text = voice(letter).help(confused=command is None, owner=letter.by_owner)
        return taken(letter, reply(letter, who, text, proven=proven))
    if proven and place_in(letter, who) == WAIT:
        return Receipt(BUSY)
    act = obey if proven else hear_stranger
    return taken(letter, act(letter, who, command))


def _deny(letter: Letter, reason: Refused) -> Receipt:
    """Say no to who signed in. What a stranger brought was taken at the door: a refusal now would be a bounce, to
    whomever he says that it came from."""
    return Receipt(reason) if letter.arrival.authenticated else drop(letter, reason.text)


COMMAND_STEPS: tuple[Step, ...] = (drop_automatic, drop_repeats, take_confirmation, carry_out)


def take_command(letter: Letter) -> Receipt:
    return walk(COMMAND_STEPS, letter)


def correspondent(letter: Letter) -> Subscriber | None:
    """Tell who wrote: who signed in, or else whom From names, proven or not."""
    names, entity = letter.house.names, letter.arrival.authenticated
    if entity:
        return Subscriber(names.person(entity), entity) if is_entity(entity) else None
    return read_subscriber(names, letter.arrival.proven or first_addr_spec(letter.arrival.headers.get("from")))


def is_proven(letter: Letter) -> bool:
    return bool(letter.arrival.authenticated or letter.arrival.proven)


def command_of(letter: Letter) -> Command | None:
    """Read what is wanted: from the address, or from Subject or first line where the address leaves it open."""
    subject, line = subject_of(letter.arrival), first_line(letter.arrival)
    if letter.door in ("subscribe", "unsubscribe", "help"):
        return Command(letter.door, read_folder(subject) or read_folder(line) or "INBOX")
    return read_line(subject) or read_line(line) if letter.door in ("request", "subject") else None


def obey(letter: Letter, who: Subscriber, command: Command, *, quiet: bool = False) -> tuple[Outgoing, ...]:
    """Do it, and tell her; or pass it to the list that serves her, which does. Ask first whether she must wait.
    `quiet`: who has her word answers her, unless the list is full."""
    place = place_in(letter, who)
    if isinstance(place, Elsewhere):
        return send_on(letter, who, command.word, place, quiet=quiet)
    text, outgoing = follow(letter, who, command.folder) if command.word == "subscribe" else leave(letter, who)
    if quiet and text.purpose != "full":
        return outgoing
    return (*outgoing, *reply(letter, who, text, proven=True))


def carry_out_relayed(letter: Letter, relay: Relay) -> Receipt:
    """A command that was read at the root has come to this list."""
    who = read_subscriber(letter.house.names, relay.subscriber)
    if who is None or who.entity or relay.word not in ("subscribe", "unsubscribe") or relay.hops > HOPS_MAX:
        return drop(letter, f"no command to pass on: {relay.word} after {relay.hops} hops")
    place = place_of_relayed(letter, who, relay)
    if place == WAIT:
        return Receipt(BUSY)
    if isinstance(place, Elsewhere):
        return taken(letter, pass_on(letter, relay, place))
    return taken(letter, obey(letter, who, Command(relay.word), quiet=relay.quiet))


def hear_stranger(letter: Letter, who: Subscriber, command: Command) -> tuple[Outgoing, ...]:
    """Ask the address first, unless there is nothing to do; of timelines here we do not know that, nor of whom another
    list serves."""
    if not who.entity and place_in(letter, who) == HERE:
        follows = open_interval(letter.tx, letter.source.list, who.address) is not None
        if command.word == "subscribe" and follows:
            return reply(letter, who, voice(letter).already(), proven=False)
        if command.word == "unsubscribe" and not follows:
            return reply(letter, who, voice(letter).not_following(), proven=False)
    return ask(letter, who, command.word, command.folder)

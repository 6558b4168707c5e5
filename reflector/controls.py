"""Control mail to a reflector: let there be a source, let it go, subscribe this address.

Law: believed only from a host of the fabric, and never in a user's letter. All is judged before anything is done, so
that what is deferred or refused has changed nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from mail.address import is_entity
from mail.control import Control, CreateSource, Goodbye, RemoveSource, Subscribe, Unsubscribe, read_controls
from mail.envelope import Arrival, Outgoing, Receipt
from mail.outcome import Deferred, Delivered, Outcome, Refused
from reflector.answers import control_mail, voice
from reflector.command_words import Command, clean_folder
from reflector.commands import BUSY, hear_stranger, obey
from reflector.counting import take_questions
from reflector.dissolving import dissolve_branches
from reflector.letter import House, Letter, untitled
from reflector.repeats import drop_repeats, taken
from reflector.routing import WAIT, place_of
from reflector.sources import bury_source, create_source, find_source, take_generation
from reflector.subscriptions import close_all, read_subscriber
from reflector.told import end_told
from reflector.tree import is_root
from reflector.tree_controls import is_tree, take_tree_control
from store import Transaction, events

DOOR = "control"  # bob+control@: a source need not exist to be created, so anybody's name is known there


def take_controls(house: House, tx: Transaction, arrival: Arrival, name: str) -> Receipt:
    """Carry out a message's controls for the source `name`, in their order, or for ``bob+sub.7`` one of its tree's."""
    try:
        controls = read_controls(arrival.headers)
    except ValueError as error:
        return _refuse(tx, arrival, name, Refused(f"5.5.4 {error}"))
    if is_tree(controls) or not is_root(name):
        return take_tree_control(house, tx, arrival, name, controls)
    if counted := take_questions(house, tx, arrival, name, controls):
        return counted
    verdict = judge(house, tx, name, controls)
    if isinstance(verdict, Refused):
        return _refuse(tx, arrival, name, verdict)
    if isinstance(verdict, Deferred):
        return Receipt(verdict)
    return Receipt(verdict, tuple(mail for control in controls for mail in _perform(house, tx, arrival, control)))


def judge(house: House, tx: Transaction, name: str, controls: Sequence[Control]) -> Outcome:
    """Tell what becomes of these controls, without doing them."""
    source = find_source(tx, name)
    owner = source.owner if source else ""
    for control in controls:
        if (
            control.source != name
            if isinstance(control, CreateSource | RemoveSource | Subscribe | Unsubscribe)
            else True
        ):
            return Refused("5.5.4 This control is not for this reflector")
        match control:
            case CreateSource():
                if not is_entity(control.owner) or owner not in ("", control.owner):
                    return Refused(f"5.7.1 {name} belongs to another owner")
                owner = control.owner
            case RemoveSource():
                owner = ""
            case Subscribe() if not owner:
                # Its CreateSource may still be on the way: mail is not ordered.
                return Deferred("4.2.1 This source does not exist yet")
            case Subscribe() | Unsubscribe():
                who = read_subscriber(house.names, control.subscriber)
                if who is None:
                    return Refused("5.1.3 The subscriber's address is none that can follow")
                if control.confirmed and place_of(house, tx, name, who) == WAIT:
                    return BUSY
    return Delivered("2.0.0 Ok")


def _perform(house: House, tx: Transaction, arrival: Arrival, control: Control) -> tuple[Outgoing, ...]:
    if isinstance(control, CreateSource):
        return _create(tx, arrival, control)
    source = find_source(tx, getattr(control, "source", ""))
    if source is None:
        return ()  # removed twice
    door = (
        f"{DOOR} {control.subscriber}" if isinstance(control, Subscribe | Unsubscribe) else DOOR
    )  # several in one message
    letter = Letter(house, tx, arrival, source, door)
    return _remove(letter) if isinstance(control, RemoveSource) else _subscribe(letter, control)


def _create(tx: Transaction, arrival: Arrival, control: CreateSource) -> tuple[Outgoing, ...]:
    known = find_source(tx, control.source) is not None
    create_source(tx, control.source, control.owner, control.title, control.backlog, arrival.now)
    if not known:
        events.append(tx, arrival.now, "source-created", source=control.source, owner=control.owner)
    return ()


def _remove(letter: Letter) -> tuple[Outgoing, ...]:
    """Say goodbye to the timelines we know of. Local followers we do not know: no more posts come to them."""
    tx, source = letter.tx, letter.source
    generation = take_generation(tx, source.name)
    addresses = close_all(tx, source.name, source.next_post, letter.arrival.now)
    told = end_told(tx, source.name, source.next_post, generation)
    below = dissolve_branches(letter.house, tx, source.list, source.next_post, generation, letter.arrival.now)
    bury_source(tx, source.name)
    letter.tell("source-removed", fabric=len(addresses))
    entities = sorted({address.partition("@")[0] for address in addresses} | set(told))
    if not entities:
        return below
    goodbye = Goodbye(source.name, source.next_post, generation)
    return (control_mail(letter, entities, voice(letter).goodbye(), goodbye), *below)


def _subscribe(letter: Letter, control: Control) -> tuple[Outgoing, ...]:
    assert isinstance(control, Subscribe | Unsubscribe)
    who = read_subscriber(letter.house.names, control.subscriber)
    if who is None or drop_repeats(letter):
        return ()
    folder = clean_folder(control.folder) if isinstance(control, Subscribe) else ""
    command = Command("subscribe" if isinstance(control, Subscribe) else "unsubscribe", folder or "INBOX")
    if control.confirmed:
        outgoing = obey(letter, who, command, quiet=True)
    else:
        outgoing = hear_stranger(untitled(letter), who, command)
    return taken(letter, outgoing).outgoing


def drop_stray(tx: Transaction, arrival: Arrival, name: str) -> Receipt:
    """What came to bob+control@ without a host's word: no refusal, which would be a bounce to whom From may forge."""
    events.append(tx, arrival.now, "dropped", source=name, door=DOOR, reason="no host's word")
    return Receipt(Delivered("2.0.0 Ok"))


def _refuse(tx: Transaction, arrival: Arrival, name: str, outcome: Refused) -> Receipt:
    events.append(tx, arrival.now, "control-refused", source=name, host=arrival.signed_by, reason=outcome.text)
    return Receipt(outcome)

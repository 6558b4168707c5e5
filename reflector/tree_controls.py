"""Tree controls at a list's door: who may say what, and who carries it out.

Law: what comes from above is believed from the host of the computed parent; what comes from a branch, from the host
that serves it. All else changes nothing. Carried out or not, it is answered by mail, never by a refusal.
"""

from __future__ import annotations

import re

from mail.control import Control
from mail.envelope import Arrival, Receipt
from mail.follower_rows import NOTHING, Row
from mail.outcome import Deferred, Delivered, Refused
from mail.tree_control import (
    Adopt,
    Adopted,
    Audit,
    Dissolve,
    Fold,
    Moved,
    PassOn,
    Relay,
    Released,
    Report,
    Returned,
    Settled,
    TreeControl,
)
from reflector.adopting import adopt
from reflector.audit import take_audit
from reflector.commands import carry_out_relayed
from reflector.dissolving import dissolve
from reflector.folding import give_back, let_go, take_back
from reflector.handing_over import take_answer
from reflector.letter import House, Letter
from reflector.mirroring import reported
from reflector.moved import take_moved
from reflector.nodes import DOWN, RELEASED, find_move, find_node
from reflector.repeats import drop_repeats
from reflector.reports import take_report
from reflector.sources import find_source, is_buried, see_number
from reflector.tree import LEAF, SUB, is_root, list_of, parent_of, source_of
from reflector.tree_mail import Mails, branch_address, not_yet, rows_of, speaks_for, write
from store import Transaction, events

FROM_ABOVE = Adopt | Fold | Released | Audit | Dissolve
WITH_ROWS = Adopt | Returned | Adopted | Moved
NUMBER_MAX = 2**53  # of posts, generations, epochs: more is no number of ours
RELAY_DOOR = "relay"
DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def is_tree(controls: list[Control]) -> bool:
    return any(isinstance(control, TreeControl) for control in controls)


def take_tree_control(house: House, tx: Transaction, arrival: Arrival, list_: str, controls: list[Control]) -> Receipt:
    """Take a message that carries one tree control, for one list."""
    control = controls[0]
    if len(controls) != 1 or not isinstance(control, TreeControl) or control.source != source_of(list_):
        return _refuse(tx, arrival, list_, "5.5.4 This control is not for this list")
    sender = sender_of(list_, control)
    if sender is None or not _is_sane(control):
        return _refuse(tx, arrival, list_, "5.5.4 This control is not for this list")
    said_by = (sender[1], house.directory.stands_for(sender[1]))
    if not (arrival.signed_by in said_by if sender[0] == "host" else speaks_for(house, arrival, sender[1])):
        events.append(tx, arrival.now, "control-doubted", source=list_, host=arrival.signed_by)
        return Receipt(not_yet(sender[1]))
    try:
        rows = rows_of(arrival) if isinstance(control, WITH_ROWS) else []
    except ValueError as error:
        return _refuse(tx, arrival, list_, f"5.6.0 {error}")
    if isinstance(control, Relay):
        return _relay(house, tx, arrival, list_, control)
    if isinstance(control, Moved):
        return take_moved(house, tx, arrival, list_, control, rows)
    return Receipt(Delivered("2.0.0 Ok"), _perform(house, tx, list_, control, rows, arrival.now))


def sender_of(list_: str, control: TreeControl) -> tuple[str, str] | None:
    """Return who alone may say this here: ("list", its name) or ("host", a leaf's); None: nobody."""
    if isinstance(control, Moved):
        return ("host", control.host) if is_root(list_) and control.host else None
    if isinstance(control, Settled | PassOn):  # for leaves alone
        return None
    other = list_of(control.source, control.node)
    if isinstance(control, Relay):  # down from the parent, or up to the root from anywhere
        return ("list", other) if (is_root(list_) or other == parent_of(list_)) and other != list_ else None
    if isinstance(control, FROM_ABOVE):
        return ("list", parent_of(list_)) if other == list_ and not is_root(list_) else None
    if control.host:
        return ("host", control.host) if is_root(list_) and not control.node else None
    if not control.node:
        return None
    if isinstance(control, Report) and is_root(list_):  # the root hears of all
        return "list", other
    return ("list", other) if parent_of(other) == list_ else None


def _perform(house: House, tx: Transaction, list_: str, control: TreeControl, rows: list[Row], now: float) -> Mails:
    match control:
        case Adopt():
            return adopt(house, tx, control, rows, now)
        case Adopted():
            return _answered(house, tx, list_, control, rows, now)
        case Fold():
            return give_back(house, tx, control, now)
        case Returned():
            return take_back(house, tx, list_, control, rows, now)
        case Released():
            let_go(tx, control, now)
        case Report():
            take_report(tx, list_, control, now)
            reported(house, tx, list_, now)
        case Audit():
            return take_audit(house, tx, list_, now)
        case Dissolve():
            return dissolve(house, tx, control, now)
    return ()


def _answered(house: House, tx: Transaction, list_: str, answer: Adopted, refused: list[Row], now: float) -> Mails:
    """An answer to another hand-over than the one under way changes nothing; where this list is gone, the branch has
    not heard it: what handed it over came after the word that all is over."""
    move = find_move(tx, list_)
    name = answer.host or list_of(answer.source, answer.node)
    if move is not None and move.whole and (move.branch, move.epoch, move.way) == (name, answer.epoch, DOWN):
        return take_answer(house, tx, move, answer, refused, now)
    node = find_node(tx, list_)
    if is_buried(tx, list_) or (node and node.state == RELEASED):
        over = Dissolve(answer.source, answer.epoch, 0, 0, answer.node, answer.host)
        return write(house, [branch_address(house, list_, LEAF if answer.host else SUB, name)], over, now)
    return ()


def _relay(house: House, tx: Transaction, arrival: Arrival, list_: str, control: Relay) -> Receipt:
    source = find_source(tx, list_)
    if source is None:
        return Receipt(Deferred(f"4.2.1 {list_} is not here yet") if not is_root(list_) else Delivered("2.0.0 Ok"))
    if repeated := drop_repeats(Letter(house, tx, arrival, source, RELAY_DOOR)):
        return repeated
    if not is_root(list_):
        see_number(tx, list_, control.since)
    source = find_source(tx, list_)
    assert source is not None
    return carry_out_relayed(Letter(house, tx, arrival, source, RELAY_DOOR), control)


def _is_sane(control: TreeControl) -> bool:
    numbers = [getattr(control, name) for name in control.__slots__ if isinstance(getattr(control, name), int)]
    digest = getattr(control, "digest", "") or NOTHING
    return all(0 <= number < NUMBER_MAX for number in numbers) and bool(DIGEST.match(digest))


def _refuse(tx: Transaction, arrival: Arrival, list_: str, reason: str) -> Receipt:
    events.append(tx, arrival.now, "control-refused", source=list_, host=arrival.signed_by, reason=reason)
    return Receipt(Refused(reason))

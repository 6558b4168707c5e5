"""Which list of a tree a subscriber belongs to: commands are read at the root and carried out where her row is.

Law: the branch whose range has her hash, or else this list. While that range is being handed over, nobody: her command
waits in the queue. A command that a list passes on is known by (ticket, hops), and taken once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from directory.bucket import hash_of
from mail.tree_control import Relay
from reflector.letter import House, Letter
from reflector.nodes import FOLDING, RELEASED, branch_for, find_move, find_node
from reflector.subscriptions import Subscriber
from reflector.tree import SUB, node_of, source_of
from reflector.tree_mail import Mails, address_of, write
from store import Transaction

HOPS_MAX = 64  # between folds and splits a command may go up and down again; this often means a fault

HERE, WAIT = "here", "wait"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another list serves her: the branch of this epoch, or, epoch 0, whoever the root says."""

    list: str
    epoch: int = 0


def place_of(house: House, tx: Transaction, list_: str, who: Subscriber) -> str | Elsewhere:
    """Tell who serves a subscriber: HERE, Elsewhere, or nobody now: WAIT."""
    move = find_move(tx, list_)
    if who.entity:
        return WAIT if move and move.branch == house.home(who.entity) else HERE
    hash_ = hash_of(who.address)
    node = find_node(tx, list_)
    if node is None or node.state == FOLDING or (move and move.kind == SUB and hash_ in move.range):
        return WAIT
    if node.state == RELEASED:
        return Elsewhere(source_of(list_))
    branch = branch_for(tx, list_, hash_)
    return Elsewhere(branch.name, branch.epoch) if branch else HERE


def place_of_relayed(letter: Letter, who: Subscriber, relay: Relay) -> str | Elsewhere:
    """The same for a command that another list passed on. One that was meant for this list as it was before it went
    away and came back goes up: the list above may not have cut over to what this one is now."""
    node = find_node(letter.tx, letter.source.list)
    if relay.epoch and (node is None or relay.epoch > node.epoch):
        return WAIT
    if relay.epoch and node and relay.epoch < node.epoch:
        return Elsewhere(letter.source.name)
    return place_in(letter, who)


def place_in(letter: Letter, who: Subscriber) -> str | Elsewhere:
    return place_of(letter.house, letter.tx, letter.source.list, who)


def send_on(letter: Letter, who: Subscriber, word: str, to: Elsewhere, *, quiet: bool = False) -> Mails:
    """Pass a person's command to the list that serves her: the first step of its way."""
    ticket = f"{letter.envid[:32]}.{letter.arrival.now!r}"
    return pass_on(letter, Relay(letter.source.name, 0, word, who.address, ticket, 0, 0, quiet), to)


def pass_on(letter: Letter, relay: Relay, to: Elsewhere) -> Mails:
    """The next step. A list below has seen no more than the root, and tells what it has seen."""
    list_ = letter.source.list
    since = max(relay.since, letter.source.next_post)
    step = replace(relay, node=node_of(list_), hops=relay.hops + 1, since=since, epoch=to.epoch)
    return write(letter.house, [address_of(letter.house, to.list)], step, letter.arrival.now)

"""Which list of a tree a subscriber belongs to: commands are read at the root and carried out where her row is.

Law: the branch whose range has her hash, or else this list. While that range is being handed over, nobody: her command
waits in the queue. A command that a list passes on is known by (ticket, hops), and taken once.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    """Another list serves her."""

    list: str


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
    return Elsewhere(branch.name) if branch else HERE


def place_in(letter: Letter, who: Subscriber) -> str | Elsewhere:
    return place_of(letter.house, letter.tx, letter.source.list, who)


def send_on(letter: Letter, who: Subscriber, word: str, to: str) -> Mails:
    """Pass a person's command to the list that serves her: the first step of its way."""
    ticket = f"{letter.envid[:32]}.{letter.arrival.now!r}"
    list_ = letter.source.list
    relay = Relay(letter.source.name, node_of(list_), word, who.address, ticket, 1, letter.source.next_post)
    return write(letter.house, [address_of(letter.house, to)], relay, letter.arrival.now)


def pass_on(letter: Letter, relay: Relay, to: str) -> Mails:
    """The next step. Going up, what this list has seen is no measure of what the root has."""
    list_ = letter.source.list
    since = max(relay.since, letter.source.next_post)
    step = Relay(relay.source, node_of(list_), relay.word, relay.subscriber, relay.ticket, relay.hops + 1, since)
    return write(letter.house, [address_of(letter.house, to)], step, letter.arrival.now)

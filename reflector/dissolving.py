"""A source is gone: its tree goes with it.

Law: what was posted before still arrives, late or not; nothing after it does. Each list tells its own branches.
"""

from __future__ import annotations

from dataclasses import replace

from mail.tree_control import Dissolve
from reflector.folding import close_open
from reflector.handing_over import ends
from reflector.letter import House
from reflector.nodes import AUTO, RELEASED, branches, close_branch, end_move, find_move, find_node, unstage, write_node
from reflector.sources import find_source
from reflector.tree import LEAF, SUB
from reflector.tree_mail import Mails, branch_address, write
from store import Transaction, events


def dissolve(house: House, tx: Transaction, list_: str, until: int, generation: int, now: float) -> Mails:
    """End all that a sub-reflector serves at this post."""
    node, source = find_node(tx, list_), find_source(tx, list_)
    mails = dissolve_branches(house, tx, list_, until, generation, now)
    unstage(tx, list_, "")
    if node is None or source is None or node.state == RELEASED:
        return mails
    close_open(tx, list_, until, now)
    write_node(tx, replace(node, state=RELEASED, policy=AUTO))
    events.append(tx, now, "dissolved", source=list_, until=until)
    return mails


def dissolve_branches(house: House, tx: Transaction, list_: str, until: int, generation: int, now: float) -> Mails:
    """Close all branches of a list, and tell them."""
    move = find_move(tx, list_)
    told: list[tuple[str, str]] = []
    if move:
        end_move(tx, move)
        told.append((move.kind, move.branch))
    for branch in (*branches(tx, list_, SUB), *branches(tx, list_, LEAF)):
        close_branch(tx, branch, until, 0, now)
        told.append((branch.kind, branch.name))
    mails: Mails = ()
    for kind, name in sorted(set(told)):
        if name:
            node, host = ends(kind, name)
            control = Dissolve(list_.partition("+")[0], until, generation, node, host)
            mails += write(house, [branch_address(house, list_, kind, name)], control, now)
    return mails

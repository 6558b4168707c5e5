"""A source is gone: its tree goes with it.

Law: what was posted before still arrives, late or not; nothing after it does. Each list tells its own branches.
"""

from __future__ import annotations

from dataclasses import replace

from mail.tree_control import Dissolve
from reflector.handing_over import ends
from reflector.letter import House
from reflector.nodes import AUTO, RELEASED, branches, close_branch, end_move, find_move, find_node, write_node
from reflector.sources import keep_no_posts
from reflector.subscriptions import close_open
from reflector.tree import LEAF, SUB, is_root, list_of, source_of
from reflector.tree_mail import Mails, branch_address, write
from store import Transaction, events


def dissolve(house: House, tx: Transaction, control: Dissolve, now: float) -> Mails:
    """End all that a sub-reflector serves at this post. A word about an older hand-over comes too late."""
    list_ = list_of(control.source, control.node)
    node = find_node(tx, list_)
    if node is None or node.epoch > control.epoch or node.state == RELEASED:
        return ()
    mails = dissolve_branches(house, tx, list_, control.until, control.generation, now)
    close_open(tx, list_, control.until, now)
    keep_no_posts(tx, list_)
    write_node(tx, replace(node, state=RELEASED, policy=AUTO, folded=max(node.folded, control.epoch)))
    events.append(tx, now, "dissolved", source=list_, until=control.until)
    return mails


def dissolve_branches(house: House, tx: Transaction, list_: str, until: int, generation: int, now: float) -> Mails:
    """Close all branches of a list, with the hand-over under way, and tell them. Until 0: as if they had never been."""
    move = find_move(tx, list_)
    ended = {(move.kind, move.branch): move.epoch} if move and move.branch else {}
    if move:
        end_move(tx, move)
    for branch in (*branches(tx, list_, SUB), *branches(tx, list_, LEAF)):
        close_branch(tx, branch, until, 0, now)
        ended[branch.kind, branch.name] = max(branch.epoch, ended.get((branch.kind, branch.name), 0))
    if until and is_root(list_):  # this host's own followers have a leaf that was never handed over
        ended.setdefault((LEAF, house.host), 0)
    mails: Mails = ()
    for (kind, name), epoch in sorted(ended.items()):
        node, host = ends(kind, name)
        control = Dissolve(source_of(list_), epoch, until, generation, node, host)
        mails += write(house, [branch_address(house, list_, kind, name)], control, now)
    return mails

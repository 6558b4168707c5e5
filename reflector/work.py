"""The reflectors' own work: hand-overs go on, lists that have changed are looked at.

Law: a step is short, whatever the list's length, and leaves everything for the next one in the tables. Posts and
commands go on between two steps.
"""

from __future__ import annotations

from dataclasses import replace

from reflector.digest import send_digests
from reflector.folding import ask_back, forget_asking, give_back_now, send_back
from reflector.forgetting import forget, is_over
from reflector.growth import wants_fold, wants_split
from reflector.handing_over import begin, give_up, send_part
from reflector.leaf_tending import tend_leaves
from reflector.letter import House
from reflector.mirror_work import tend_mirrors
from reflector.nodes import (
    BACK,
    DOWN,
    RELEASED,
    SERVING,
    SPLIT,
    UP,
    Branch,
    Node,
    branches,
    find_move,
    find_node,
    look_at,
    write_move,
    write_node,
)
from reflector.reports import report
from reflector.settings import Settings
from reflector.sources import Source, find_source
from reflector.subscriptions import count_foreign, has_foreign
from reflector.tables import HERE
from reflector.tree import SUB, can_split, child_of, cut
from reflector.tree_mail import Mails
from store import Reader, Transaction

MOVES_AT_ONCE = 4  # in one step: each at most a message of rows
LOOKS_AT_ONCE = 4


def is_due(place: Reader | Transaction, settings: Settings, now: float) -> bool:
    tables = ("move", "look", "digest", "mirror")
    due = (place.one(f"SELECT 1 FROM {table} WHERE due <= ? AND {HERE} LIMIT 1", (now,)) for table in tables)
    return any(due) or is_over(place, settings, now)


def work(house: House, tx: Transaction, now: float) -> Mails:
    """Do one step of what is due."""
    mails: Mails = ()
    due = f"WHERE due <= ? AND {HERE} ORDER BY due LIMIT ?"
    for (list_,) in tx.all(f"SELECT list FROM move {due}", (now, MOVES_AT_ONCE)):
        mails += _go_on(house, tx, list_, now)
    for (list_,) in tx.all(f"SELECT list FROM look {due}", (now, LOOKS_AT_ONCE)):
        mails += _look(house, tx, list_, now)
    forget(tx, house.settings, now)
    return mails + send_digests(house, tx, now) + tend_mirrors(house, tx, now)


def _go_on(house: House, tx: Transaction, list_: str, now: float) -> Mails:
    move, source = find_move(tx, list_), find_source(tx, list_)
    assert move is not None
    if source is None or (move.way != BACK and (move.way == UP or move.whole)):
        return give_up(house, tx, move, now)
    if move.way == DOWN:
        return send_part(house, tx, source, move, now)
    write_move(tx, replace(move, due=now + house.settings.answer_seconds))
    return send_back(house, tx, source, move, now)


def _look(house: House, tx: Transaction, list_: str, now: float) -> Mails:
    tx.execute("DELETE FROM look WHERE list = ?", (list_,))
    node, source = find_node(tx, list_), find_source(tx, list_)
    if node is None or source is None or node.state == RELEASED:
        return ()
    mails = report(house, tx, source, node, now)
    node = find_node(tx, list_) or node
    if node.state != SERVING or find_move(tx, list_):
        return mails  # its end has the list looked at again
    if back := give_back_now(house, tx, node, now):
        return mails + back
    node = forget_asking(house, tx, node, now)
    if node.rest_until > now:
        look_at(tx, list_, node.rest_until)
        return mails
    mails += tend_leaves(house, tx, source, node, now)
    if find_move(tx, list_):
        return mails
    # A leaf that was asked how many it has may be long in answering: the ranges do not wait for it.
    return mails + _tend_ranges(house, tx, source, find_node(tx, list_) or node, now)


def _tend_ranges(house: House, tx: Transaction, source: Source, node: Node, now: float) -> Mails:
    subs, threshold = branches(tx, source.list, SUB), house.settings.split_threshold
    if not subs and node.policy != SPLIT and source.subscribers <= threshold:  # not worth counting
        return ()
    rows = count_foreign(tx, source.list, node.range)
    total = rows + sum(branch.total for branch in subs)
    if wants_fold(node.policy, len(subs), total, threshold):
        return _ask_first(house, tx, source, subs, now)
    if wants_split(node.policy, rows, len(subs), total, threshold) and can_split(source.list):
        return _split_next(house, tx, source, node, subs, now)
    return ()


def _ask_first(house: House, tx: Transaction, source: Source, subs: list[Branch], now: float) -> Mails:
    branch = subs[0]
    move = begin(house, tx, source, branch.kind, branch.name, branch.range, now, UP)
    return ask_back(house, move, now)


def _split_next(house: House, tx: Transaction, source: Source, node: Node, subs: list[Branch], now: float) -> Mails:
    """Hand over the next range that has followers. A range once cut stays as it is while a branch serves its like."""
    fanout = node.fanout or house.settings.fanout_max
    served = {branch.name for branch in subs}
    for place, part in enumerate(cut(node.range, fanout)):
        name = child_of(source.list, place)
        if name in served or not has_foreign(tx, source.list, part):
            continue
        write_node(tx, replace(node, fanout=fanout))
        move = begin(house, tx, source, SUB, name, part, now)
        return send_part(house, tx, source, move, now)
    return ()

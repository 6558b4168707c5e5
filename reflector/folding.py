"""Followers come back: a branch that is hardly needed any more gives its rows to the list above it.

Law: once it was asked, a sub-reflector carries out no command until it is told how it ended; it delivers all the while.
The list above takes the rows and closes the branch in one transaction, at the next post's number; what was posted
before that is the branch's to deliver, however late it comes.
"""

from __future__ import annotations

from dataclasses import replace

from mail.follower_rows import Row, digest_of
from mail.tree_control import Fold, Released, Returned
from reflector.adopting import stage, staged, take_rows
from reflector.handing_over import ends, released
from reflector.letter import House
from reflector.nodes import (
    AUTO,
    BACK,
    FLAT,
    FOLDING,
    RELEASED,
    SERVING,
    SPLIT,
    Branch,
    Move,
    Node,
    branches,
    close_branch,
    end_move,
    find_branch,
    find_move,
    find_node,
    folded_branch,
    look_at,
    write_move,
    write_node,
)
from reflector.sources import Source, find_source, keep_no_posts
from reflector.subscriptions import FOREIGN, close_open
from reflector.tables import OPEN
from reflector.told import corrected
from reflector.tree import LEAF, SUB, list_of, node_of, parent_of, source_of
from reflector.tree_mail import Mails, address_of, branch_address, write
from store import Transaction, events

PATIENCE = 4  # attempts of the list above, by its longest rest between two


def ask_back(house: House, move: Move, now: float) -> Mails:
    """The list above asks; its range waits from here on."""
    node, host = ends(move.kind, move.branch)
    to = branch_address(house, move.list, move.kind, move.branch)
    return write(house, [to], Fold(source_of(move.list), move.epoch, node, host), now)


def give_back(house: House, tx: Transaction, control: Fold, now: float) -> Mails:
    """The sub-reflector is asked. One that has branches of its own folds these first."""
    list_ = list_of(control.source, control.node)
    node, source = find_node(tx, list_), find_source(tx, list_)
    if node is None or source is None or node.state == RELEASED or control.epoch <= node.epoch:
        return ()
    if control.epoch < node.folded or (control.epoch == node.folded and node.state != FOLDING):
        return ()  # an older word, or one that was taken back
    if branches(tx, list_, SUB) or _is_busy(tx, list_):
        write_node(tx, replace(node, policy=FLAT, asked=control.epoch))
        look_at(tx, list_, now)
        return ()
    write_node(tx, replace(node, state=FOLDING, asked=control.epoch, folded=control.epoch))
    move = Move(
        list_,
        "",
        SUB,
        BACK,
        node.lo,
        node.hi,
        control.epoch,
        source.next_post,
        now,
        now + house.settings.answer_seconds,
    )
    write_move(tx, move)
    return send_back(house, tx, source, move, now)


def give_back_now(house: House, tx: Transaction, node: Node, now: float) -> Mails:
    """What a list was asked while it still had branches."""
    if node.asked <= node.folded or branches(tx, node.list, SUB):
        return ()
    return give_back(house, tx, Fold(source_of(node.list), node.asked, node_of(node.list)), now)


def forget_asking(house: House, tx: Transaction, node: Node, now: float) -> Node:
    """A list that was to become flat for the one above, which has not asked again for long, is free."""
    if not node.asked or node.policy != FLAT:
        return node
    free = node.asked + PATIENCE * (house.settings.rest_seconds_max + house.settings.answer_seconds)
    if now < free:
        look_at(tx, node.list, free)
        return node
    node = replace(node, policy=AUTO, asked=0)
    write_node(tx, node)
    return node


def send_back(house: House, tx: Transaction, source: Source, move: Move, now: float) -> Mails:
    """Send all rows up. They stand still meanwhile, so that a repeat is the same."""
    found = tx.all(
        "SELECT address, from_post, generation, folder FROM subscriber"
        f" WHERE source = ? AND kind = '{FOREIGN}' AND until_post = {OPEN} ORDER BY id",
        (move.list,),
    )
    rows = [Row(*row) for row in found]
    most = house.settings.rows_max
    lots = [rows[at : at + most] for at in range(0, len(rows), most)] or [[]]
    node = ends(SUB, move.list)[0]
    digest = digest_of(rows)
    mails: Mails = ()
    for number, lot in enumerate(lots, 1):
        control = Returned(source.name, move.epoch, number, len(lots), len(rows), digest, source.generation, node)
        mails += write(house, [address_of(house, parent_of(move.list))], control, now, lot)
    return mails


def take_back(house: House, tx: Transaction, list_: str, control: Returned, rows: list[Row], now: float) -> Mails:
    """The list above takes one part; when it has all, it takes over. To what it did not ask for, or no more, it says
    how that ended."""
    kind, name = (SUB, list_of(control.source, control.node)) if control.node else (LEAF, control.host)
    move, branch = find_move(tx, list_), find_branch(tx, list_, name)
    if move is None or branch is None or (move.branch, move.epoch, move.way) != (name, control.epoch, "up"):
        return _remind(house, tx, list_, kind, name, control.epoch, now)
    if not stage(tx, list_, name, control.epoch, control.part, control.parts, rows, now):
        return ()
    whole, digest = staged(tx, list_, name, control.epoch)
    if (len(whole), int(digest, 16)) != (control.rows, int(control.digest, 16)):
        events.append(tx, now, "digest-differs", source=list_, branch=name, epoch=move.epoch)
        return ()  # it is asked again when the time is over
    return _take_over(house, tx, move, branch, whole, control.generation, now)


def _take_over(
    house: House, tx: Transaction, move: Move, branch: Branch, rows: list[Row], generation: int, now: float
) -> Mails:
    source = find_source(tx, move.list)
    assert source is not None
    until = source.next_post
    if move.kind == LEAF:  # told as they began: a welcome on its way must not be overtaken by one that gives less
        new = take_rows(house, tx, move.list, corrected(house, tx, move.list, move.branch, rows), 0)
    else:
        new = take_rows(house, tx, move.list, rows, until)
    tx.execute(
        "UPDATE source SET subscribers = subscribers + ?, generation = max(generation, ?), floor = max(floor, ?)"
        " WHERE name = ?",
        (len(new), generation, until, move.list),
    )
    close_branch(tx, branch, until, move.epoch, now)
    end_move(tx, move)
    _rest_after(tx, move, now)
    events.append(tx, now, "folded", source=move.list, branch=move.branch, epoch=move.epoch, rows=len(new), since=until)
    to = branch_address(house, move.list, move.kind, move.branch)
    return write(house, [to], released(move.list, move.kind, move.branch, move.epoch, until), now)


def _rest_after(tx: Transaction, move: Move, now: float) -> None:
    node = find_node(tx, move.list)
    assert node is not None
    whole = not branches(tx, move.list, SUB)
    policy = AUTO if node.policy == SPLIT and move.kind == SUB else node.policy
    write_node(tx, replace(node, tries=0, rest_until=0.0, fanout=0 if whole else node.fanout, policy=policy))
    look_at(tx, move.list, now)


def _remind(house: House, tx: Transaction, list_: str, kind: str, name: str, epoch: int, now: float) -> Mails:
    ended = folded_branch(tx, list_, name, epoch)
    until = ended.until_post if ended else 0
    to = branch_address(house, list_, kind, name)
    return write(house, [to], released(list_, kind, name, epoch, until), now)


def let_go(tx: Transaction, control: Released, now: float) -> None:
    """The sub-reflector hears how it ended: its rows end there, or it goes on."""
    list_ = list_of(control.source, control.node)
    node, move = find_node(tx, list_), find_move(tx, list_)
    if node is None or node.state != FOLDING or control.epoch != node.folded:
        return
    if move:
        end_move(tx, move)
    if control.until:
        close_open(tx, list_, control.until, now)
        keep_no_posts(tx, list_)
    state = RELEASED if control.until else SERVING
    # Who was taken back once will be again: a list that grew new branches meanwhile would never be done.
    write_node(tx, replace(node, state=state, policy=AUTO if control.until else node.policy))
    look_at(tx, list_, now)
    events.append(tx, now, state, source=list_, epoch=control.epoch)


def _is_busy(tx: Transaction, list_: str) -> bool:
    move = find_move(tx, list_)
    return move is not None and move.way != BACK

"""A list below that has lost its database is given its followers again, as its parent still knows them.

Law: on the operator's word alone, and only to a branch that said, when it was asked, that it knows of no hand-over. The
parent goes on sending posts to it meanwhile; they wait until it has its rows, so none is lost and none comes twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mail.follower_rows import Row
from reflector.handing_over import adoption
from reflector.letter import House
from reflector.nodes import SERVING, Branch, Node, branches, find_move, find_node, write_node
from reflector.sources import Source, find_source
from reflector.subscriptions import FOREIGN
from reflector.tree import SUB
from reflector.tree_mail import Mails, address_of, write
from store import Transaction, events


@dataclass(frozen=True, slots=True)
class Mended:
    """A branch that is given its followers again, and how many the parent still knew."""

    name: str
    rows: int


def mend(house: House, tx: Transaction, list_: str, since: float, now: float) -> tuple[tuple[Mended, ...], Mails]:
    """Look at all branches of a list, by what they have reported since then."""
    node, source = find_node(tx, list_), find_source(tx, list_)
    if node is None or source is None or node.state != SERVING or find_move(tx, list_):
        return (), ()
    mended: tuple[Mended, ...] = ()
    mails: Mails = ()
    for branch in branches(tx, list_, SUB):
        if _has_lost(tx, source, branch, since):
            rows, node = _known_rows(tx, branch), _next_epoch(tx, node, now)
            mails += _give_again(house, tx, source, branch, rows, node.given, now)
            mended += (Mended(branch.name, len(rows)),)
    return mended, mails


def _has_lost(tx: Transaction, source: Source, branch: Branch, since: float) -> bool:
    """Epoch 0 is said by who has no such list; a report that is merely late carries the epoch of its time."""
    sql = "SELECT 1 FROM report WHERE source = ? AND name = ? AND epoch = 0 AND at >= ?"
    return tx.one(sql, (source.name, branch.name, since)) is not None


def _known_rows(tx: Transaction, branch: Branch) -> list[Row]:
    """The rows that were closed when the branch began; all at one moment, which tells them from who left before it."""
    rows = tx.all(
        f"""
        SELECT address, max(generation), max(closed) FROM subscriber
        WHERE source = ?1 AND kind = '{FOREIGN}' AND until_post = ?2 AND closed <> 0 AND hash >= ?3 AND hash < ?4
        GROUP BY address ORDER BY address
        """,
        (branch.list, branch.from_post, branch.lo, branch.hi),
    )
    moment = max((closed for _, _, closed in rows), default=0.0)
    return [Row(address, branch.from_post, generation) for address, generation, closed in rows if closed == moment]


def _next_epoch(tx: Transaction, node: Node, now: float) -> Node:
    node = replace(node, given=max(node.given + 1, int(now)))
    write_node(tx, node)
    return node


def _give_again(
    house: House, tx: Transaction, source: Source, branch: Branch, rows: list[Row], epoch: int, now: float
) -> Mails:
    """The branch goes on under a new epoch: commands that wait for the old one find their way by the root."""
    tx.execute(
        "UPDATE branch SET epoch = ?, total = ? WHERE list = ? AND name = ? AND epoch = ?",
        (epoch, len(rows), branch.list, branch.name, branch.epoch),
    )
    tx.execute("DELETE FROM report WHERE source = ? AND name = ?", (source.name, branch.name))
    most = house.settings.rows_max
    lots = [rows[at : at + most] for at in range(0, len(rows), most)] or [[]]
    mails: Mails = ()
    for number, lot in enumerate(lots, 1):
        word = adoption(
            source,
            branch.kind,
            branch.name,
            branch.range,
            epoch=epoch,
            part=number,
            parts=len(lots) if number == len(lots) else 0,
            since=branch.from_post,
        )
        mails += write(house, [address_of(house, branch.name)], word, now, lot)
    events.append(tx, now, "handed-over-again", source=branch.list, branch=branch.name, epoch=epoch, rows=len(rows))
    return mails

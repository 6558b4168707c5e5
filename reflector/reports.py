"""How the lists of a tree stand: what each tells the one above it and the root.

Law: a report is believed from the list's own host, and only says how things were: nothing is decided by it but when to
ask a branch back.
"""

from __future__ import annotations

from dataclasses import replace

from mail.follower_rows import Row, digest_of
from mail.tree_control import Report
from reflector.letter import House
from reflector.nodes import Node, branches, look_at, write_node
from reflector.sources import Source
from reflector.subscriptions import FOREIGN
from reflector.tables import OPEN
from reflector.tree import LEAF, SUB, is_root, list_of, node_of, parent_of, source_of
from reflector.tree_mail import Mails, address_of, write
from store import Reader, Transaction


def report(house: House, tx: Transaction, source: Source, node: Node, now: float) -> Mails:
    """Tell the list above and the root how this one stands, if that is news, and not too often."""
    if is_root(source.list):
        return ()
    subs = branches(tx, source.list, SUB)
    total = source.subscribers + sum(branch.total for branch in subs)
    stand = f"{node.epoch} {source.subscribers} {total} {len(subs)}"
    if stand == node.reported:
        return ()
    if now < node.reported_at + house.settings.report_seconds:
        look_at(tx, source.list, node.reported_at + house.settings.report_seconds)
        return ()
    write_node(tx, replace(node, reported=stand, reported_at=now))
    control = Report(
        source.name, node.epoch, source.subscribers, total, len(subs), source.next_post,
        digest_now(tx, source.list), node_of(source.list),
    )  # fmt: skip
    to = dict.fromkeys(address_of(house, list_) for list_ in (parent_of(source.list), source.name))
    return write(house, list(to), control, now)


def take_report(tx: Transaction, list_: str, control: Report, now: float) -> None:
    """Keep what a list or leaf says; look at ourselves where it is a branch of this one."""
    name = control.host or list_of(control.source, control.node)
    tx.execute(
        "INSERT OR REPLACE INTO report VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            source_of(list_),
            name,
            control.epoch,
            control.rows,
            control.total,
            control.branches,
            control.next_post,
            control.digest,
            now,
        ),
    )
    told = tx.execute(
        f"UPDATE branch SET total = ? WHERE list = ? AND name = ? AND (epoch = ? OR kind = ?) AND until_post = {OPEN}",
        (control.total, list_, name, control.epoch, LEAF),  # a leaf that a moved list left behind was given no epoch
    )
    if told.rowcount:
        look_at(tx, list_, now)


def digest_now(place: Reader | Transaction, list_: str) -> str:
    """The digest of a list's own rows as they are."""
    rows = place.all(
        "SELECT address, from_post, generation, folder FROM subscriber"
        f" WHERE source = ? AND kind = '{FOREIGN}' AND until_post = {OPEN}",
        (list_,),
    )
    return digest_of(Row(*row) for row in rows)

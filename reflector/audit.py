"""Asking a tree how it stands.

Law: an audit goes from list to branch, each of which reports to the list above and to the root.
"""

from __future__ import annotations

from dataclasses import replace

from mail.tree_control import Audit, Report
from reflector.handing_over import ends
from reflector.letter import House
from reflector.nodes import branches, find_node
from reflector.reports import report
from reflector.sources import find_source
from reflector.tree import LEAF, SUB, is_root, node_of, parent_of, source_of
from reflector.tree_mail import Mails, address_of, branch_address, write
from store import Transaction


def take_audit(house: House, tx: Transaction, list_: str, now: float) -> Mails:
    """Report, and have all branches report. A list that is not known here says so: it was lost with a database."""
    node, source = find_node(tx, list_), find_source(tx, list_)
    if node is None or source is None:
        return () if is_root(list_) else _report_loss(house, list_, now)
    mails = report(house, tx, source, replace(node, reported="", reported_at=0.0), now)
    return mails + ask_branches(house, tx, list_, now)


def _report_loss(house: House, list_: str, now: float) -> Mails:
    control = Report(source_of(list_), epoch=0, rows=0, total=0, branches=0, next_post=0, node=node_of(list_))
    return write(
        house, [address_of(house, above) for above in dict.fromkeys((parent_of(list_), source_of(list_)))], control, now
    )


def ask_branches(house: House, tx: Transaction, list_: str, now: float) -> Mails:
    mails: Mails = ()
    for branch in (*branches(tx, list_, SUB), *branches(tx, list_, LEAF)):
        node, host = ends(branch.kind, branch.name)
        to = branch_address(house, list_, branch.kind, branch.name)
        mails += write(house, [to], Audit(source_of(list_), node, host), now)
    return mails

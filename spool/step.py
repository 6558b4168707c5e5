"""The step of mail for this very host: from the queue into a room, in one transaction.

Law: a step is repeated or undone whole. A room that fails on one recipient fails alone: that mail is put off, with
its queue id in the log, and holds nobody up.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from mail.envelope import Arrival
from mail.outcome import Outcome
from spool.ledger import FAULT
from spool.queue import Message, Row, message
from spool.route import Fabric
from spool.runner_settings import Settings
from spool.settle import Settled, Settler
from store import Bodies, Transaction
from store.writer import is_full

log = logging.getLogger("heliograph.spool")


class Step:
    """Hands rows to the rooms of this host."""

    def __init__(self, fabric: Fabric, settler: Settler, settings: Settings) -> None:
        self._fabric = fabric
        self._settler = settler
        self._settings = settings

    def take(self, tx: Transaction, rows: Sequence[Row], now: float) -> None:
        """Hand over what is still queued of these rows, message by message, and settle what came of it."""
        settled = [one for _, group in groupby(rows, lambda row: row.message) for one in self._message(tx, group, now)]
        self._settler.apply(tx, settled, now)

    def _message(self, tx: Transaction, group: Iterator[Row], now: float) -> Iterator[Settled]:
        rows = [row for row in group if _is_there(tx, row)]
        about = message(tx, rows[0].message) if rows else None
        if about is None:
            return
        arrival = _arrival(tx, about, now)
        for path, paths_rows in groupby(rows, lambda row: row.sender):
            mine = list(paths_rows)
            given = arrival if path is None else replace(arrival, sender=path)
            outcomes = [self._receive(tx, given, row) for row in mine]
            yield Settled(about, mine, outcomes, "here", self._settings.fabric, success="delivered")

    def _receive(self, tx: Transaction, arrival: Arrival, row: Row) -> Outcome:
        try:
            return tx.nested(lambda part: self._fabric.receive(part, arrival, row.address))
        except Exception as error:
            if is_full(error) or not tx.connection.in_transaction:
                raise
            log.exception("message %d, recipient %d: a room failed on it; tried again later", row.message, row.n)
            return FAULT


def _is_there(tx: Transaction, row: Row) -> bool:
    sql = "SELECT 1 FROM queue_recipient WHERE message = ? AND n = ?"
    return tx.one(sql, (row.message, row.n)) is not None


def _arrival(tx: Transaction, about: Message, now: float) -> Arrival:
    return Arrival(
        sender=about.sender,
        content=Bodies.read(tx, about.body),
        body=about.body,
        envid=about.envid,
        signed_by=about.signed_by,
        accepted_at=about.accepted_at,
        now=now,
    )

"""Another host's queue, taken over out of its database: every message as it was accepted.

Law: sender, ENVID, signature and the time of acceptance stay, so that a repeat is one wherever it comes to; who wanted
to hear of it does. What is adopted is counted by the other queue's numbers, which are never used twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from mail.envelope import Recipient
from spool.door import RcptTo
from spool.queue import MESSAGE, ROW, Message, Queue, Row, forget
from store import Bodies, Reader, Transaction

Source = Reader | Transaction


@dataclass(frozen=True, slots=True)
class Adopted:
    """One message with its content, and who still waits for it."""

    message: Message
    rows: tuple[Row, ...]
    content: bytes


def numbers_upto(source: Source) -> int:
    """Return the last number that a queue has given."""
    row = source.one("SELECT seq FROM sqlite_sequence WHERE name = 'queue_message'")
    return int(row[0]) if row else 0


def read(source: Source, after: int, messages_max: int, octets_max: int) -> list[Adopted]:
    """Read what is queued behind a number, oldest first; at least one message, if there is any."""
    found: list[Adopted] = []
    octets = 0
    sql = f"SELECT {MESSAGE} FROM queue_message WHERE id > ? ORDER BY id LIMIT ?"
    for about in (Message._make(row) for row in source.all(sql, (after, messages_max))):
        rows = source.all(f"SELECT {ROW} FROM queue_recipient WHERE message = ? ORDER BY n", (about.id,))
        content = Bodies.read(source, about.body)
        octets += len(content)
        if found and octets > octets_max:
            break
        found.append(Adopted(about, tuple(Row._make(row) for row in rows), content))
    return found


def put(tx: Transaction, queue: Queue, adopted: Adopted, now: float) -> None:
    """Queue it here, to be tried at once."""
    about = adopted.message
    recipients = [
        RcptTo(row.address, row.notify, row.orcpt) if row.sender is None else Recipient(row.address, row.sender)
        for row in adopted.rows
    ]
    if not recipients:
        return
    queue.put(
        tx,
        sender=about.sender,
        recipients=recipients,
        body=Bodies.keep(tx, adopted.content),
        envid=about.envid,
        signed_by=about.signed_by,
        accepted_at=about.accepted_at,
        now=now,
        ret=about.ret,
        eightbit=bool(about.eightbit),
        smtputf8=bool(about.smtputf8),
        client_envid=about.client_envid,
    )


def drop_adopted(tx: Transaction, upto: int, most: int) -> int:
    """Let go of what another host adopted, some messages at a time; return how many."""
    ids = [id_ for (id_,) in tx.all("SELECT id FROM queue_message WHERE id <= ? ORDER BY id LIMIT ?", (upto, most))]
    tx.executemany("DELETE FROM queue_recipient WHERE message = ?", [(id_,) for id_ in ids])
    forget(tx, ids)
    return len(ids)

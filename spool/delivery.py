"""One batch over one session: from queue rows to a letter, and from its outcomes to what is settled.

Law: every row of a batch is settled, or goes back to wait because the peer takes fewer at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from mail.outcome import Deferred, Delivered, Outcome
from spool.contents import Contents
from spool.destination import Batch, Destination
from spool.ledger import FAULT
from spool.letter import Content, Letter
from spool.settle import Settled
from spool.smtp_client import Session

TOO_MANY = 452  # RFC 5321 4.5.3.1.10


async def deliver(
    session: Session, batch: Batch, destination: Destination, contents: Contents, now: float
) -> list[Outcome]:
    """Send a batch; return an outcome for each of its rows."""
    form = contents.form_for(destination.abroad is not None, session.offer.eightbit, batch.mailboxes[0])
    async with contents.of(batch.message, form) as content:
        if content is None:  # dropped by the operator: settling will find no rows
            return [FAULT] * len(batch.rows)
        return await session.deliver(letter_of(batch, content, now, destination.abroad is not None))


def letter_of(batch: Batch, content: Content, now: float, abroad: bool = False) -> Letter:
    """`abroad`: there its sender's own word for it is passed on (RFC 3461 5.2.1); hosts know repeats by ours."""
    message = batch.message
    noted = any(row.notify or row.orcpt for row in batch.rows)
    return Letter(
        sender=batch.sender,
        recipients=batch.mailboxes,
        content=content,
        envid=(abroad and message.client_envid) or message.envid,
        ret=message.ret,
        smtputf8=bool(message.smtputf8),
        notes=[(row.notify, row.orcpt) for row in batch.rows] if noted else (),
        front=content.front(batch.sender, now),
        back=content.back(batch.sender),
    )


def settled(batch: Batch, outcomes: Sequence[Outcome], destination: Destination, session: Session | None) -> Settled:
    """`session` None: nobody was reached."""
    tells = session is not None and not session.offer.dsn
    return Settled(
        message=batch.message,
        rows=batch.rows,
        outcomes=outcomes,
        destination=destination.name,
        schedule=destination.schedule,
        host=session.peer.name if session else "",
        success="relayed" if tells else None,
        key=destination.key,
        retry=batch.retry,
    )


def cut(batch: Batch, outcomes: list[Outcome]) -> tuple[Batch, list[Outcome], Batch | None]:
    """Part a batch where the peer takes fewer recipients at once: what was answered, and what is sent next at once.

    Some were delivered, so every round makes progress.
    """
    if outcomes.count(outcomes[0]) == len(outcomes):
        return batch, outcomes, None
    if not any(isinstance(outcome, Delivered) for outcome in outcomes) or not any(map(_too_many, outcomes)):
        return batch, outcomes, None
    over = [_too_many(outcome) for outcome in outcomes]
    rest = _part(batch, [k for k, much in enumerate(over) if much])
    answered = _part(batch, [k for k, much in enumerate(over) if not much])
    return answered, [outcome for outcome in outcomes if not _too_many(outcome)], rest


def _part(batch: Batch, places: Sequence[int]) -> Batch:
    rows, mailboxes = [batch.rows[k] for k in places], [batch.mailboxes[k] for k in places]
    return Batch(batch.message, batch.sender, rows, mailboxes, batch.retry)


def _too_many(outcome: Outcome) -> bool:
    """452 is also said of a full mailbox (4.2.2) and a full disk (4.3.1)."""
    if not isinstance(outcome, Deferred) or outcome.code != TOO_MANY:
        return False
    return outcome.text.startswith("4.5.3") or "too many" in outcome.text.lower()

"""What IMAP wants to know of a message, made once per body, for everyone who has it.

Law: facts are made from the body alone, so that making them twice does no harm; they go with the body.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mailbox_host.envelope import envelope
from mailbox_host.mime import scan, section
from mailbox_host.structure import structure
from store import Bodies, Reader, Transaction

__all__ = ["Facts", "facts", "facts_of", "keep_facts", "made_facts", "missing_facts", "section"]


class Facts(NamedTuple):
    """ENVELOPE, BODY and BODYSTRUCTURE, ready to be sent."""

    envelope: bytes
    body: bytes
    bodystructure: bytes


def facts_of(content: bytes) -> Facts:
    """Make a message's facts. About 0.2 ms for common mail."""
    part = scan(content)
    return Facts(envelope(part), structure(part, False), structure(part, True))


def facts(source: Reader | Transaction, bodies: Iterable[int]) -> dict[int, Facts]:
    """Return the facts that are stored, by body; those not made yet are not in it."""
    rows = source.all(
        "SELECT body, envelope, body_short, body_full FROM body_facts WHERE body IN (SELECT value FROM json_each(?))",
        (json.dumps(list(bodies)),),
    )
    return {row[0]: Facts._make(row[1:]) for row in rows}


def made_facts(source: Reader | Transaction, bodies: Iterable[int]) -> dict[int, Facts]:
    """Make facts from stored bodies without storing them: for a reader's thread. A body that is gone is left out."""
    made = {}
    for body in bodies:
        try:
            made[body] = facts_of(Bodies.read(source, body))
        except KeyError:  # expunged by another session meanwhile
            continue
    return made


def keep_facts(tx: Transaction, made: Mapping[int, Facts]) -> None:
    """Store facts of bodies that are still there."""
    rows = [(body, *found) for body, found in made.items() if Bodies.exists(tx, body)]
    tx.executemany("INSERT OR IGNORE INTO body_facts VALUES (?, ?, ?, ?)", rows)


def missing_facts(tx: Transaction, bodies: Iterable[int]) -> dict[int, Facts]:
    """Make and store at once. For few bodies: the one writer makes them meanwhile nothing else."""
    made = made_facts(tx, bodies)
    keep_facts(tx, made)
    return made

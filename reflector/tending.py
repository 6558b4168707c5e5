"""What an operator asks of a tree: how it stands, and to split, fold or report.

Law: asking changes only what a list is to become; the lists' own work does it, step by step, and can be watched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reflector.nodes import (
    AUTO,
    DOWN,
    FLAT,
    SPLIT,
    Branch,
    Move,
    Node,
    branches,
    find_move,
    find_node,
    look_at,
    write_node,
)
from reflector.reports import digest_now
from reflector.sources import Source, find_source, lists_of
from reflector.subscriptions import FABRIC, FOREIGN, count_foreign
from reflector.tables import HERE, OPEN
from reflector.tree import LEAF, SUB
from store import Reader, Transaction

__all__ = [
    "AUTO",
    "FLAT",
    "SPLIT",
    "Branch",
    "Move",
    "Rows",
    "Stand",
    "Told",
    "ask",
    "is_busy",
    "lists_here",
    "progress",
    "rows_of",
    "stand_of",
    "stands_of",
    "told_of",
]

SOON_SECONDS = 2.0  # a change has its list looked at after one


@dataclass(frozen=True, slots=True)
class Stand:
    """One list of this host as it stands. `move`: the hand-over under way."""

    source: Source
    node: Node
    subs: tuple[Branch, ...]
    leaves: tuple[Branch, ...]
    move: Move | None


@dataclass(frozen=True, slots=True)
class Rows:
    """A list's own followers: accounts of the fabric, addresses outside; the digest is of the latter."""

    inside: int
    outside: int
    digest: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a list or leaf elsewhere reported, and when: `name` is ``bob+sub.7``, or a host for its leaf."""

    name: str
    epoch: int
    rows: int
    total: int
    branches: int
    next_post: int
    digest: str
    at: float


def lists_here(place: Reader | Transaction, after: str = "", limit: int = 1000) -> list[str]:
    """Return the lists that this host serves: a page of their names, in order."""
    rows = place.all(
        "SELECT name FROM source WHERE NOT removed AND name > ? AND name NOT IN (SELECT list FROM away)"
        " ORDER BY name LIMIT ?",
        (after, limit),
    )
    return [name for (name,) in rows]


def stand_of(place: Reader | Transaction, list_: str) -> Stand | None:
    """Return how a list of this host stands, by its name: ``bob``, ``bob+sub.7``."""
    source, node = find_source(place, list_), find_node(place, list_)
    if source is None or node is None:
        return None
    subs, leaves = branches(place, list_, SUB), branches(place, list_, LEAF)
    return Stand(source, node, tuple(subs), tuple(leaves), find_move(place, list_))


def stands_of(place: Reader | Transaction, source: str) -> list[Stand]:
    """Return all lists of one source that this host serves."""
    found = (stand_of(place, list_) for list_ in lists_of(place, source))
    return [stand for stand in found if stand]


def told_of(place: Reader | Transaction, source: str) -> dict[str, Told]:
    """Return what all lists of a source told its root; ask it of the root's host."""
    rows = place.all(
        "SELECT name, epoch, rows, total, branches, next_post, digest, at FROM report WHERE source = ?", (source,)
    )
    return {row[0]: Told(*row) for row in rows}


def rows_of(place: Reader | Transaction, list_: str, digest: bool = True) -> Rows:
    """Count a list's own followers; the digest reads them all."""
    found = place.all(
        f"SELECT kind, count(*) FROM subscriber WHERE source = ? AND until_post = {OPEN} GROUP BY kind", (list_,)
    )
    counts: dict[str, int] = dict(found)
    return Rows(counts.get(FABRIC, 0), counts.get(FOREIGN, 0), digest_now(place, list_) if digest else "")


def progress(place: Reader | Transaction, move: Move) -> tuple[int, int]:
    """How many rows of a hand-over were sent or came back, and of how many: 0 where nobody here knows."""
    if move.way != DOWN:
        came = place.one(
            "SELECT coalesce(sum(rows), 0) FROM part WHERE list = ? AND branch = ? AND epoch = ?",
            (move.list, move.branch, move.epoch),
        )
        return (int(came[0]) if came else 0), 0
    if move.kind != SUB:
        return move.rows, move.rows * move.whole
    return move.rows, count_foreign(place, move.list, move.range)


def is_busy(place: Reader | Transaction, source: str, now: float) -> bool:
    """Tell whether a list of a source is being handed over here, or is to be looked at in a moment."""
    sql = f"SELECT list FROM move WHERE {HERE} UNION ALL SELECT list FROM look WHERE {HERE} AND due <= ?"
    busy = {list_ for (list_,) in place.all(sql, (now + SOON_SECONDS,))}
    return not busy.isdisjoint(lists_of(place, source))


def ask(tx: Transaction, list_: str, policy: str, now: float) -> bool:
    """Have a list of this host become split or flat, and stay so; or auto: by its length. False: it is not here."""
    node = find_node(tx, list_)
    if node is None or find_source(tx, list_) is None or policy not in (AUTO, SPLIT, FLAT):
        return False
    write_node(tx, replace(node, policy=policy, tries=0, rest_until=0.0))
    look_at(tx, list_, now)
    return True

"""What a host knows of the trees that its lists are in: each list's place, its branches, its hand-over under way.

Law: a list has one hand-over at a time; a branch has one open interval of posts at most. Epochs only rise, even if the
database is an old copy: they are moments.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

from reflector.tables import OPEN
from reflector.tree import LEAF, SUB, WHOLE, Range, is_root
from store import Reader, Transaction

SERVING, FOLDING, RELEASED = "serving", "folding", "released"
AUTO, SPLIT, FLAT = "auto", "split", "flat"
DOWN, UP, BACK = "down", "up", "back"


@dataclass(frozen=True, slots=True)
class Node:
    """A list's place in its tree. `policy`: what it is to become: auto, split or flat. `rows` and `digest`: of what it
    adopted. `given`: the last epoch that it gave. `fanout`: into how many its range is cut, 0: not."""

    list: str
    lo: int = WHOLE.lo
    hi: int = WHOLE.hi
    state: str = SERVING
    policy: str = AUTO
    epoch: int = 0
    asked: int = 0
    folded: int = 0
    given: int = 0
    fanout: int = 0
    rows: int = 0
    digest: str = ""
    tries: int = 0
    rest_until: float = 0.0
    reported: str = ""
    reported_at: float = 0.0

    @property
    def range(self) -> Range:
        return Range(self.lo, self.hi)


@dataclass(frozen=True, slots=True)
class Branch:
    """Who serves a part of a list's followers, from_post <= number < until_post. `name`: a list, or a leaf's host.
    `total`: followers, as far as is known. `folded`: the epoch in which it was asked back."""

    list: str
    name: str
    kind: str
    lo: int
    hi: int
    from_post: int
    until_post: int
    epoch: int
    folded: int = 0
    total: int = 0
    closed: float = 0.0

    @property
    def range(self) -> Range:
        return Range(self.lo, self.hi)


@dataclass(frozen=True, slots=True)
class Move:
    """A hand-over. `part`: how many were sent; `whole`: 1 once all were. `due`: when to look at it again."""

    list: str
    branch: str
    kind: str
    way: str
    lo: int
    hi: int
    epoch: int
    since: int
    begun: float
    due: float
    cursor: int = 0
    part: int = 0
    whole: int = 0
    rows: int = 0
    digest: str = ""

    @property
    def range(self) -> Range:
        return Range(self.lo, self.hi)


_NODE = ", ".join(f.name for f in fields(Node))
_BRANCH = ", ".join(f.name for f in fields(Branch))
_MOVE = ", ".join(f.name for f in fields(Move))


def find_node(place: Reader | Transaction, list_: str) -> Node | None:
    """Return a list's place; every root has one, a list below it only once it was handed over."""
    row = place.one(f"SELECT {_NODE} FROM node WHERE list = ?", (list_,))
    return Node(*row) if row else Node(list_) if is_root(list_) else None


def write_node(tx: Transaction, node: Node) -> None:
    marks = ", ".join("?" * len(fields(Node)))
    tx.execute(f"INSERT OR REPLACE INTO node ({_NODE}) VALUES ({marks})", astuple(node))


def find_move(place: Reader | Transaction, list_: str) -> Move | None:
    row = place.one(f"SELECT {_MOVE} FROM move WHERE list = ?", (list_,))
    return Move(*row) if row else None


def write_move(tx: Transaction, move: Move) -> None:
    marks = ", ".join("?" * len(fields(Move)))
    tx.execute(f"INSERT OR REPLACE INTO move ({_MOVE}) VALUES ({marks})", astuple(move))


def end_move(tx: Transaction, move: Move) -> None:
    """Forget a hand-over, with what came or was marked for it."""
    tx.execute("DELETE FROM move WHERE list = ?", (move.list,))
    tx.execute("UPDATE subscriber SET moving = 0 WHERE source = ? AND moving = ?", (move.list, move.epoch))
    unstage(tx, move.list, move.branch)


def unstage(tx: Transaction, list_: str, branch: str, before: int = OPEN) -> None:
    """Forget rows that came in parts, of epochs before this one."""
    for table in ("part", "staged"):
        tx.execute(f"DELETE FROM {table} WHERE list = ? AND branch = ? AND epoch < ?", (list_, branch, before))


def branches(place: Reader | Transaction, list_: str, kind: str) -> list[Branch]:
    """Return the branches that serve now."""
    rows = place.all(
        f"SELECT {_BRANCH} FROM branch WHERE list = ? AND until_post = {OPEN} AND kind = ? ORDER BY name",
        (list_, kind),
    )
    return [Branch(*row) for row in rows]


def find_branch(place: Reader | Transaction, list_: str, name: str) -> Branch | None:
    sql = f"SELECT {_BRANCH} FROM branch WHERE list = ? AND name = ? AND until_post = {OPEN}"
    row = place.one(sql, (list_, name))
    return Branch(*row) if row else None


def folded_branch(place: Reader | Transaction, list_: str, name: str, epoch: int) -> Branch | None:
    """Return the branch that came back in this epoch."""
    sql = f"SELECT {_BRANCH} FROM branch WHERE list = ? AND name = ? AND folded = ? AND until_post < {OPEN}"
    row = place.one(sql, (list_, name, epoch))
    return Branch(*row) if row else None


def branch_for(place: Reader | Transaction, list_: str, hash_: int) -> Branch | None:
    """Return the sub-reflector that serves a hash."""
    row = place.one(
        f"SELECT {_BRANCH} FROM branch WHERE list = ? AND until_post = {OPEN} AND kind = '{SUB}'"
        " AND lo <= ? AND hi > ?",
        (list_, hash_, hash_),
    )
    return Branch(*row) if row else None


def has_leaf(place: Reader | Transaction, list_: str, host: str) -> bool:
    branch = find_branch(place, list_, host)
    return branch is not None and branch.kind == LEAF


def count_at_leaf(tx: Transaction, list_: str, host: str, more: int) -> None:
    """Keep a rough count of a leaf's followers: who asks twice counts twice, until the leaf is asked."""
    sql = f"UPDATE branch SET total = max(total + ?, 0) WHERE list = ? AND name = ? AND until_post = {OPEN}"
    tx.execute(sql, (more, list_, host))


def branches_of_post(tx: Transaction, list_: str, post: int) -> list[tuple[str, str]]:
    """Return (kind, name) of every branch that a post goes to."""
    sql = "SELECT DISTINCT kind, name FROM branch WHERE list = ? AND until_post > ? AND from_post <= ?"
    return tx.all(sql, (list_, post, post))


def add_branch(tx: Transaction, branch: Branch) -> None:
    marks = ", ".join("?" * len(fields(Branch)))
    tx.execute(f"INSERT INTO branch ({_BRANCH}) VALUES ({marks})", astuple(branch))


def close_branch(tx: Transaction, branch: Branch, until_post: int, folded: int, now: float) -> None:
    tx.execute(
        "UPDATE branch SET until_post = ?, folded = ?, closed = ? WHERE list = ? AND name = ? AND epoch = ?",
        (until_post, folded, now, branch.list, branch.name, branch.epoch),
    )


def look_at(tx: Transaction, list_: str, due: float) -> None:
    """Have a list looked at, at the latest then."""
    tx.execute(
        "INSERT INTO look VALUES (?, ?) ON CONFLICT (list) DO UPDATE SET due = min(due, excluded.due)", (list_, due)
    )

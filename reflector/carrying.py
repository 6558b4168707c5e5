"""Lists on their way to another host: all rows that stand under a list's name, table by table.

Law: every table of this room is named here with the column that holds the list; whatever columns it has are carried.
What is not here (`away`) does no work of its own and is found by nobody. Ids stay behind: a hand-over between lists
that was counting by them is begun anew. Tokens stay good: with a list goes the key of its open questions.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from reflector.nodes import DOWN, Branch, add_branch, find_branch, find_move, find_node, look_at, write_move, write_node
from reflector.sources import find_source
from reflector.tables import OPEN
from reflector.tree import LEAF, WHOLE, is_root
from store import Bodies, Reader, Transaction

Source = Reader | Transaction
Part = dict[str, Any]
Told = dict[str, bytes]  # by table, the digest of what was sent

ROWS_MAX = 500  # in one part
BEGIN = ""  # the first part of a list, in place of a table: nothing of it is there
LISTS = {  # by table, the column that holds the list; a source is the list that is its root
    "source": "name",
    "subscriber": "source",
    "confirmation": "source",
    "posted": "source",
    "recent_post": "source",
    "asked": "source",
    "former_key": "source",
    "node": "list",
    "branch": "list",
    "move": "list",
    "part": "list",
    "staged": "list",
    "relayed": "list",
    "told": "list",
    "report": "source",
    "look": "list",
    "bouncing": "list",
    "news": "list",
    "digest": "list",
    "mirror": "list",
    "mirrored_post": "list",
    "fabric_wish": "list",
    "post_gap": "list",
    "sender_address": "list",
    "footer": "source",
}
KNOWN_BY = ("source", "node", "branch", "move", "part", "look", "told")  # a list that is here has a row in one of these
NOT_CARRIED = ("id", "body")


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns that are carried, by table."""

    columns: dict[str, list[str]]

    def of(self, table: str) -> str:
        return ", ".join(self.columns[table])


def layout(source: Source) -> Layout:
    found = {table: source.all("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,)) for table in LISTS}
    return Layout({table: [name for (name,) in rows if name not in NOT_CARRIED] for table, rows in found.items()})


def units(source: Source, is_wanted: Callable[[str], bool]) -> list[str]:
    """Return the names of all lists that are wanted."""
    names = " UNION ".join(f"SELECT {LISTS[table]} FROM {table}" for table in KNOWN_BY)
    return sorted(name for (name,) in source.all(names) if is_wanted(name))


def leave(tx: Transaction, lists: Iterable[str], key: bytes) -> None:
    """The lists go: from now on they are not here."""
    for list_ in lists:
        tx.execute("INSERT OR IGNORE INTO away VALUES (?)", (list_,))
        if tx.one("SELECT 1 FROM confirmation WHERE source = ? LIMIT 1", (list_,)):
            tx.execute("INSERT OR IGNORE INTO former_key VALUES (?, ?)", (list_, key))


def arrive(tx: Transaction, lists: Iterable[str], giver: str, now: float) -> None:
    """The lists are here. Followers at the giver had no row, for its `follow` rows were the list: it is their leaf.
    `giver` "": what it had is here too."""
    for list_ in lists:
        tx.execute("DELETE FROM away WHERE list = ?", (list_,))
        move = find_move(tx, list_)
        if move is not None:  # what counted by ids is given up, and begun anew under a higher epoch
            write_move(tx, replace(move, whole=1 if move.way == DOWN else move.whole, due=now))
        if is_root(list_):
            _add_leaf(tx, list_, giver, now)
        look_at(tx, list_, now)


def _add_leaf(tx: Transaction, list_: str, giver: str, now: float) -> None:
    source, node = find_source(tx, list_), find_node(tx, list_)
    if not giver or source is None or node is None or find_branch(tx, list_, giver):
        return
    epoch = max(node.given + 1, int(now))
    write_node(tx, replace(node, given=epoch))
    add_branch(tx, Branch(list_, giver, LEAF, WHOLE.lo, WHOLE.hi, source.next_post, OPEN, epoch))


# --- out


def parts(layout: Layout, source: Source, list_: str, told: Told) -> Iterator[Part]:
    """Read the tables that are others than was told, in parts."""
    if not told:  # a stream that broke off may have brought rows that are gone by now
        yield {"part": BEGIN, "name": list_, "first": True, "rows": []}
    for table in LISTS:
        rows = _rows(layout, source, table, list_)
        digest = _digest(rows)
        if digest == told.setdefault(table, _digest([])):
            continue
        for at in range(0, max(len(rows), 1), ROWS_MAX):
            yield {"part": table, "name": list_, "first": not at, "rows": rows[at : at + ROWS_MAX]}
        told[table] = digest


def _rows(layout: Layout, source: Source, table: str, list_: str) -> list[list[Any]]:
    """All rows of a list; those of posts end with the SHA-256 of the body."""
    order = "id" if table in ("subscriber", "news") else layout.of(table)
    body = ", body" if table == "recent_post" else ""
    rows = source.all(
        f"SELECT {layout.of(table)}{body} FROM {table} WHERE {LISTS[table]} = ? ORDER BY {order}", (list_,)
    )
    if not body:
        return [list(row) for row in rows]
    digests = Bodies.digests(source, {row[-1] for row in rows})
    return [[*row[:-1], digests.get(row[-1], b"")] for row in rows]


def bodies_of(part: Part) -> set[bytes]:
    return {row[-1] for row in part["rows"]} if part["part"] == "recent_post" else set()


def digest(layout: Layout, source: Source, list_: str) -> str:
    """Return the digest of all that is carried of a list; "" where there is none of it."""
    digests = [_digest(_rows(layout, source, table, list_)) for table in LISTS]
    nothing = _digest([])
    return "" if all(one == nothing for one in digests) else hashlib.sha256(b"".join(digests)).hexdigest()


def _digest(rows: object) -> bytes:
    return hashlib.sha256(repr(rows).encode("utf-8", "surrogatepass")).digest()


# --- in


def put(layout: Layout, tx: Transaction, part: Part) -> None:
    """Put a part in; the first of a table takes the place of all that was there."""
    table, list_, rows = part["part"], part["name"], part["rows"]
    columns = layout.columns.get(table, [])
    tx.execute("INSERT OR IGNORE INTO away VALUES (?)", (list_,))
    for cleared in LISTS if table == BEGIN else (table,) if part["first"] else ():
        _clear(tx, cleared, list_)
    if table == "recent_post":
        bodies = Bodies.by_digest(tx, bodies_of(part))
        rows = [[*row[:-1], bodies[row[-1]]] for row in rows if row[-1] in bodies]
        Bodies.share_many(tx, Counter(row[-1] for row in rows))
        columns = [*columns, "body"]
    if rows:
        marks = ", ".join("?" * len(columns))
        tx.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)


def _clear(tx: Transaction, table: str, list_: str) -> None:
    sql = f"DELETE FROM {table} WHERE {LISTS[table]} = ?"
    if table == "recent_post":
        Bodies.release_many(tx, Counter(body for (body,) in tx.all(f"{sql} RETURNING body", (list_,))))
    else:
        tx.execute(sql, (list_,))


def forget(tx: Transaction, list_: str, most: int) -> bool:
    """Let go of a list, a slice at a time; False: there is more."""
    few = "SELECT id FROM subscriber WHERE source = ? LIMIT ?"
    if tx.execute(f"DELETE FROM subscriber WHERE id IN ({few})", (list_, most)).rowcount == most:
        return False
    for table in LISTS:
        _clear(tx, table, list_)
    tx.execute("DELETE FROM away WHERE list = ?", (list_,))
    return True

"""Subscribers and their intervals.

Law: one address has one open interval at most; what is closed is never opened again, a new one is. Each change carries
the generation it was made in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from directory.bucket import hash_of
from directory.names import FabricNames, Foreign, Timeline
from mail.address import Address, BadAddress, parse_address
from reflector.tables import OPEN
from reflector.tree import Range, is_root
from store import Reader, Transaction

FABRIC = "fabric"
FOREIGN = "foreign"
WAYS_OUT_MAX = 20  # closed rows of one address: who comes and goes all day makes no more of them


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who follows or wants to: the address as the world knows it, and the entity if she is of this fabric."""

    address: str
    entity: str = ""

    @property
    def kind(self) -> str:
        return FABRIC if self.entity else FOREIGN


@dataclass(frozen=True, slots=True)
class Interval:
    """One row: posts from_post <= number < until_post go to the subscriber."""

    from_post: int
    until_post: int
    generation: int


def read_subscriber(names: FabricNames, text: str) -> Subscriber | None:
    """Tell who an address is. None: no address, or one of ours that nobody reads: no list follows a list."""
    try:
        address = parse_address(text)
    except BadAddress:
        return None
    address = Address(address.local.lower(), address.domain)  # no provider of today tells Carol from carol
    name = names.classify(address)
    if isinstance(name, Timeline):
        return Subscriber(names.person(name.entity), name.entity)
    return Subscriber(str(address)) if isinstance(name, Foreign) else None


def open_interval(tx: Transaction, source: str, address: str) -> Interval | None:
    row = tx.one(
        "SELECT from_post, until_post, generation FROM subscriber"
        f" WHERE source = ? AND address = ? AND until_post = {OPEN}",
        (source, address),
    )
    return Interval(*row) if row else None


def is_handed_over(tx: Transaction, source: str, address: str) -> bool:
    """Tell whether the open interval was sent in a hand-over that is under way: it may end at any post."""
    sql = f"SELECT 1 FROM subscriber WHERE source = ? AND address = ? AND until_post = {OPEN} AND moving <> 0"
    return tx.one(sql, (source, address)) is not None


def last_until(tx: Transaction, source: str, address: str) -> int:
    """Return where the latest closed interval ended (0: there was none): before it nothing is sent again."""
    row = tx.one("SELECT max(until_post) FROM subscriber WHERE source = ? AND address = ?", (source, address))
    return int(row[0]) if row and row[0] is not None else 0


def last_generation(tx: Transaction, source: str, address: str) -> int:
    """Return the generation of the latest closed interval (0: there was none)."""
    sql = f"SELECT max(generation) FROM subscriber WHERE source = ? AND address = ? AND until_post < {OPEN}"
    row = tx.one(sql, (source, address))
    return int(row[0]) if row and row[0] is not None else 0


def subscribe(
    tx: Transaction, source: str, who: Subscriber, from_post: int, generation: int, token: str, folder: str
) -> None:
    """Open an interval. At the root no post's number lies in closed ones of the same address any more: they go but for
    the latest whose ways out may still be clicked."""
    if is_root(source):
        tx.execute(
            "DELETE FROM subscriber WHERE source = ?1 AND address = ?2 AND id NOT IN (SELECT id FROM subscriber"
            " WHERE source = ?1 AND address = ?2 AND token <> '' ORDER BY id DESC LIMIT ?3)",
            (source, who.address, WAYS_OUT_MAX),
        )
    add_row(tx, source, who, from_post, generation, token, folder)
    tx.execute("UPDATE source SET subscribers = subscribers + 1 WHERE name = ?", (source,))


def add_row(
    tx: Transaction, source: str, who: Subscriber, from_post: int, generation: int, token: str, folder: str
) -> None:
    tx.execute(
        "INSERT INTO subscriber (source, address, kind, hash, from_post, until_post, generation, token, folder)"
        f" VALUES (?, ?, ?, ?, ?, {OPEN}, ?, ?, ?)",
        (source, who.address, who.kind, hash_of(who.address), from_post, generation, token, folder),
    )


def unsubscribe(tx: Transaction, source: str, address: str, until_post: int, generation: int, now: float) -> None:
    """Close the open interval, and count no bounces of hers any more. The closed one stays a while: below the root for
    posts that come late, everywhere for ways out."""
    tx.execute(
        "UPDATE subscriber SET until_post = ?, generation = ?, closed = ?"
        f" WHERE source = ? AND address = ? AND until_post = {OPEN}",
        (until_post, generation, now, source, address),
    )
    tx.execute("UPDATE source SET subscribers = subscribers - 1 WHERE name = ?", (source,))
    tx.execute("DELETE FROM bouncing WHERE list = ? AND address = ?", (source, address))


def change(tx: Transaction, source: str, address: str, generation: int, folder: str) -> None:
    """Give the open interval a new folder and generation."""
    tx.execute(
        f"UPDATE subscriber SET generation = ?, folder = ? WHERE source = ? AND address = ? AND until_post = {OPEN}",
        (generation, folder, source, address),
    )


def close_moved(tx: Transaction, source: str, epoch: int, until_post: int, now: float) -> int:
    """Close what was sent in a hand-over; return how many there were. All stay a while, also those that no post was
    meant for: should the branch lose them, they are known here (mending.py)."""
    moved = "UPDATE subscriber SET until_post = ?, closed = ?, moving = 0 WHERE source = ? AND moving = ?"
    count = tx.execute(moved, (until_post, now, source, epoch)).rowcount
    tx.execute("UPDATE source SET subscribers = subscribers - ? WHERE name = ?", (count, source))
    return count


def close_open(tx: Transaction, list_: str, until: int, now: float) -> None:
    """End all open intervals of a list; what no post was meant for goes."""
    open_ = f"source = ? AND until_post = {OPEN}"
    tx.execute(f"DELETE FROM subscriber WHERE {open_} AND from_post >= ?", (list_, until))
    tx.execute(f"UPDATE subscriber SET until_post = ?, closed = ? WHERE {open_}", (until, now, list_))
    tx.execute("UPDATE source SET subscribers = 0 WHERE name = ?", (list_,))


def close_all(tx: Transaction, source: str, until_post: int, now: float) -> list[str]:
    """Close every interval; return the fabric subscribers' addresses."""
    closed = "UPDATE subscriber SET until_post = ?, closed = ?"
    rows = tx.all(
        f"{closed} WHERE source = ? AND until_post = {OPEN} RETURNING kind, address", (until_post, now, source)
    )
    return sorted(address for kind, address in rows if kind == FABRIC)


_FOREIGN_IN = (
    f"FROM subscriber WHERE source = ? AND kind = '{FOREIGN}' AND until_post = {OPEN} AND hash >= ? AND hash < ?"
)


def count_foreign(place: Reader | Transaction, source: str, part: Range) -> int:
    """Count the followers outside whose hashes are in a range."""
    row = place.one(f"SELECT count(*) {_FOREIGN_IN}", (source, part.lo, part.hi))
    assert row is not None
    return int(row[0])


def has_foreign(place: Reader | Transaction, source: str, part: Range) -> bool:
    return place.one(f"SELECT 1 {_FOREIGN_IN} LIMIT 1", (source, part.lo, part.hi)) is not None


def followers_of_post(tx: Transaction, source: str, post: int) -> Iterator[tuple[str, str, str]]:
    """Stream (kind, address, token) of every interval that contains a post's number."""
    return iter(
        tx.execute(
            "SELECT kind, address, token FROM subscriber WHERE source = ? AND until_post > ? AND from_post <= ?",
            (source, post, post),
        )
    )


def is_open_token(place: Reader | Transaction, source: str, token: str) -> bool:
    """Tell whether a bounce token is of an interval that is open: not of one before it."""
    sql = f"SELECT 1 FROM subscriber WHERE source = ? AND token = ? AND token <> '' AND until_post = {OPEN}"
    return place.one(sql, (source, token)) is not None


def subscriber_of_token(place: Reader | Transaction, source: str, token: str) -> str:
    """Return the address that a bounce token was made for, or ""."""
    row = place.one("SELECT address FROM subscriber WHERE source = ? AND token = ? AND token <> ''", (source, token))
    return str(row[0]) if row else ""

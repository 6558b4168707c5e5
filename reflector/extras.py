"""What a host that was lost has of a list, and its heir has not: who followed and left after its replica's last word.

Law: a subscription's change carries its generation, and the highest wins, whichever host heard it; the heir gives none
that the lost host may have given (skipping.py). Posts need nothing: those that the lost host numbered are in its queue
and at its followers, under numbers that its heir skipped.
"""

from __future__ import annotations

from typing import Any

from reflector.skipping import skip_posts
from reflector.sources import find_source
from reflector.subscriptions import FOREIGN, Subscriber, change, open_interval, subscribe, unsubscribe
from reflector.tables import OPEN
from store import Reader, Transaction

Source = Reader | Transaction
Gap = dict[str, Any]  # JSON: generation

ROWS_MAX = 500  # in one part


def skip_after(tx: Transaction, host: str) -> int:
    """In a lost host's replica: note how far each list came, and skip; return how many sources there are."""
    tx.execute("DELETE FROM post_gap WHERE host = ?", (host,))
    tx.execute("INSERT INTO post_gap SELECT name, ?, next_post, generation FROM source", (host,))
    return skip_posts(tx)


def skip_units(tx: Transaction, lists: list[str], host: str) -> None:
    """The same for some lists: of what a lost host had from here, and may not have told its replica."""
    for list_ in lists:
        tx.execute("DELETE FROM post_gap WHERE list = ? AND host = ?", (list_, host))
        tx.execute(
            "INSERT INTO post_gap SELECT name, ?, next_post, generation FROM source WHERE name = ?", (host, list_)
        )
        skip_posts(tx, list_)


def gap_of(source: Source, list_: str, host: str) -> Gap | None:
    """Return what is noted of a list that is here; None where there is none of that name."""
    here = "SELECT 1 FROM source WHERE name = ? AND name NOT IN (SELECT list FROM away)"
    if source.one(here, (list_,)) is None:
        return None
    row = source.one("SELECT generation FROM post_gap WHERE list = ? AND host = ?", (list_, host))
    return {"generation": row[0]} if row else {}


def own_gap(source: Source, list_: str, host: str) -> Gap:
    """Where two hosts own a list, and this one gives way: what changed since it came back from a backup, or all."""
    row = source.one("SELECT generation FROM post_gap WHERE list = ? AND host = ?", (list_, host))
    return {"generation": row[0] if row else 0}


def note(tx: Transaction, list_: str, host: str, gap: Gap) -> None:
    """Note at the other owner what the host that gives way says of itself; once it has begun that stays."""
    tx.execute("INSERT OR IGNORE INTO post_gap VALUES (?, ?, 0, ?)", (list_, host, gap["generation"]))


def parts(source: Source, list_: str, gap: Gap) -> list[dict[str, Any]]:
    """Read what changed; the newest word of an address last."""
    rows = source.all(
        "SELECT address, kind, from_post, until_post, generation, token, folder FROM subscriber"
        " WHERE source = ? AND generation > ? ORDER BY generation, id",
        (list_, gap["generation"]),
    )
    posted = source.all("SELECT envid, door, at FROM posted WHERE source = ?", (list_,))
    lots = [rows[at : at + ROWS_MAX] for at in range(0, len(rows), ROWS_MAX)]
    parts = [{"part": "subscribers", "name": list_, "rows": [list(row) for row in lot]} for lot in lots]
    return [*parts, {"part": "posted", "name": list_, "rows": [list(row) for row in posted]}]


def merge(tx: Transaction, part: dict[str, Any], now: float) -> None:
    """Take a part in. What was said here later counts more."""
    source = find_source(tx, part["name"])
    if source is None:
        return
    if part["part"] == "posted":
        rows = [(source.name, *row) for row in part["rows"]]
        tx.executemany("INSERT OR IGNORE INTO posted (source, envid, door, at) VALUES (?, ?, ?, ?)", rows)
        return
    for address, kind, from_post, until_post, generation, token, folder in part["rows"]:
        if _newest(tx, source.name, address) >= generation:
            continue
        follows = open_interval(tx, source.name, address)
        if until_post != OPEN and follows:
            unsubscribe(tx, source.name, address, source.next_post, generation, now)
        elif until_post == OPEN and follows:
            change(tx, source.name, address, generation, folder)
        elif until_post == OPEN:
            who = Subscriber(address, "" if kind == FOREIGN else address.partition("@")[0])
            subscribe(tx, source.name, who, from_post, generation, token, folder)


def _newest(tx: Transaction, list_: str, address: str) -> int:
    """Return the generation of the last word about an address; where no row tells of it, the highest that it may have
    had: she may have left, and that was long ago (forgetting.py)."""
    row = tx.one("SELECT max(generation) FROM subscriber WHERE source = ? AND address = ?", (list_, address))
    if row is None or row[0] is None:
        row = tx.one("SELECT forgotten FROM source WHERE name = ?", (list_,))
    return int(row[0]) if row else 0

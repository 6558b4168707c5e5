"""What followers in the fabric were told lately: at a leaf asked who follows, it may not have arrived.

Law: a welcome or goodbye that was sent counts from then on, wherever it is. A queue gives up after days; what is older
than `repeat_seconds` has come, or never will.
"""

from __future__ import annotations

from mail.follower_rows import Row
from reflector.letter import House, Letter
from reflector.tables import OPEN
from store import Transaction


def note_told(letter: Letter, entity: str, row: Row, until: int) -> None:
    """Note the newest word to a follower, and where she lived: she may be elsewhere when it comes."""
    home = letter.house.home(entity)
    letter.tx.execute(
        "INSERT OR REPLACE INTO told (list, entity, from_post, until_post, generation, folder, at, host)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (letter.source.list, entity, row.from_post, until, row.generation, row.folder, letter.arrival.now, home),
    )


def newest_word(tx: Transaction, list_: str, entity: str) -> tuple[int, Row] | None:
    """Return what a follower was told lately: until which post, and the row."""
    row = tx.one(
        "SELECT until_post, entity, from_post, generation, folder FROM told WHERE list = ? AND entity = ?",
        (list_, entity),
    )
    return (int(row[0]), Row(*row[1:])) if row else None


def corrected(house: House, tx: Transaction, list_: str, host: str, rows: list[Row]) -> list[Row]:
    """Return a leaf's rows as they will be once all has arrived there: with whom the list took to live there when it
    told her, wherever she lives now; nobody else serves her."""
    found = {row.who: row for row in rows}
    told = {
        entity: (until, Row(entity, from_post, generation, folder))
        for entity, from_post, until, generation, folder, at in tx.all(
            "SELECT entity, from_post, until_post, generation, folder, host FROM told WHERE list = ?", (list_,)
        )
        if host == (at or house.home(entity)) or entity in found
    }
    for entity, (until, row) in told.items():
        if entity in found and found[entity].generation >= row.generation:
            continue
        found.pop(entity, None)
        if until == OPEN:
            found[entity] = row
    return [found[who] for who in sorted(found)]


def end_told(tx: Transaction, list_: str, until: int, generation: int) -> list[str]:
    """The source is gone: should one of its name come again, nobody follows it by what she was told before. Return who
    was told to follow: her welcome may come after her leaf heard of the end."""
    rows = tx.all(
        f"UPDATE told SET until_post = ?, generation = ? WHERE list = ? AND until_post = {OPEN} RETURNING entity",
        (until, generation, list_),
    )
    return [entity for (entity,) in rows]

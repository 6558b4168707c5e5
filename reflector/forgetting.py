"""What no late mail can ask for any more goes: rows of people who left first of all, whose addresses are theirs.

Law: a slice at a time, for the writer is everybody's; and on a host where nothing else happens too. Every query here
goes by an index; lists on their way to another host stay as they are. Of a change of a subscription its generation
alone is remembered (`source.forgotten`): an older word about an address without a row is not heard, for it may be older
than her leaving.
"""

from __future__ import annotations

from reflector.settings import Settings
from reflector.tables import HERE
from store import Reader, Transaction

ROWS_AT_ONCE = 500  # of a table, in one step: some ms of the writer's time
PARTS_AT_ONCE = 4  # each with as many rows as a message has

# What is old by these columns after `repeat_seconds`, when its mail has come or never will; and the table's key.
_BY_MAIL = {
    "told": (f"at < ? AND {HERE}", "list, entity"),
    "relayed": (f"at < ? AND {HERE}", "list, post"),
    "branch": (f"closed <> 0 AND closed < ? AND {HERE}", "list, name, epoch"),
}
_LEFT = "closed <> 0 AND closed < ? AND source NOT IN (SELECT list FROM away)"
_PART = f"at < ? AND {HERE}"


def is_over(place: Reader | Transaction, settings: Settings, now: float) -> bool:
    """Tell whether there is anything to forget."""
    late, left = now - settings.repeat_seconds, now - settings.way_out_seconds
    old = [("subscriber", _LEFT, left), ("part", _PART, late)]
    old += [(table, condition, late) for table, (condition, _) in _BY_MAIL.items()]
    return any(place.one(f"SELECT 1 FROM {table} WHERE {which} LIMIT 1", (at,)) for table, which, at in old)


def forget(tx: Transaction, settings: Settings, now: float) -> None:
    """Do one step of it."""
    late = now - settings.repeat_seconds
    _forget_left(tx, now - settings.way_out_seconds)
    for table, (condition, key) in _BY_MAIL.items():
        few = f"SELECT {key} FROM {table} WHERE {condition} LIMIT {ROWS_AT_ONCE}"
        tx.execute(f"DELETE FROM {table} WHERE ({key}) IN ({few})", (late,))
    _forget_parts(tx, late)


def _forget_left(tx: Transaction, before: float) -> None:
    """A copy's way out names the row as it was when it was sent, and is clicked weeks later."""
    few = f"SELECT id FROM subscriber WHERE {_LEFT} LIMIT {ROWS_AT_ONCE}"
    gone = tx.all(f"DELETE FROM subscriber WHERE id IN ({few}) RETURNING source, generation", (before,))
    newest: dict[str, int] = {}
    for list_, generation in gone:
        newest[list_] = max(generation, newest.get(list_, 0))
    tx.executemany(
        "UPDATE source SET forgotten = max(forgotten, ?) WHERE name = ?",
        [(generation, list_) for list_, generation in newest.items()],
    )


def _forget_parts(tx: Transaction, before: float) -> None:
    """Rows that came for a hand-over which nobody finished go with their part."""
    key = "list, branch, epoch, part"
    few = f"SELECT {key} FROM part WHERE {_PART} LIMIT {PARTS_AT_ONCE}"
    parts = tx.all(f"DELETE FROM part WHERE ({key}) IN ({few}) RETURNING {key}", (before,))
    tx.executemany("DELETE FROM staged WHERE list = ? AND branch = ? AND epoch = ? AND part = ?", parts)

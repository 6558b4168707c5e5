"""What no late mail can ask for any more goes: rows of people who left first of all, whose addresses are theirs.

Law: a slice at a time, for the writer is everybody's; and on a host where nothing else happens too. Every query here
goes by an index; lists on their way to another host stay as they are. Of a change of a subscription its generation
alone is remembered (`source.forgotten`): an older word about an address without a row is not heard, for it may be older
than her leaving.
"""

from __future__ import annotations

from dataclasses import dataclass

from reflector.settings import DAY_SECONDS, Settings
from store import Reader, Transaction

ROWS_AT_ONCE = 500  # of a table, in one step: some ms of the writer's time
PARTS_AT_ONCE = 4  # each with as many rows as a message has


@dataclass(frozen=True, slots=True)
class Old:
    """Rows that are over: those of a table whose column `age` is below `before`. `list`: the column that holds it."""

    table: str
    key: str
    list: str
    age: str
    before: float

    @property
    def which(self) -> str:
        asked = f"{self.age} <> 0 AND " if self.age == "closed" else ""  # an index of closed ones
        return f"{asked}{self.age} < ? AND {self.list} NOT IN (SELECT list FROM away)"


def is_over(place: Reader | Transaction, settings: Settings, now: float) -> bool:
    """Tell whether there is anything to forget."""
    old = (_left(settings, now), _parts(settings, now), *_others(settings, now))
    return any(place.one(f"SELECT 1 FROM {one.table} WHERE {one.which} LIMIT 1", (one.before,)) for one in old)


def forget(tx: Transaction, settings: Settings, now: float) -> None:
    """Do one step of it."""
    _forget_left(tx, _left(settings, now))
    _forget_parts(tx, _parts(settings, now))
    for old in _others(settings, now):
        few = f"SELECT {old.key} FROM {old.table} WHERE {old.which} LIMIT {ROWS_AT_ONCE}"
        gone = tx.execute(f"DELETE FROM {old.table} WHERE ({old.key}) IN ({few})", (old.before,)).rowcount
        if gone and old.table == "confirmation":
            _forget_keys(tx)


def _left(settings: Settings, now: float) -> Old:
    """A copy's way out names the row as it was when it was sent, and is clicked weeks later."""
    return Old("subscriber", "id", "source", "closed", now - settings.way_out_seconds)


def _parts(settings: Settings, now: float) -> Old:
    return Old("part", "list, branch, epoch, part", "list", "at", now - settings.repeat_seconds)


def _others(settings: Settings, now: float) -> tuple[Old, ...]:
    late = now - settings.repeat_seconds  # mail of that time has come, or never will
    return (
        Old("told", "list, entity", "list", "at", late),
        Old("relayed", "list, post", "list", "at", late),
        Old("branch", "list, name, epoch", "list", "closed", late),
        Old("posted", "source, envid, door", "source", "at", late),
        Old("asked", "day, address, source, purpose", "source", "day", now // DAY_SECONDS - 1),
        # A day longer than they are good for, so that a late reply hears why.
        Old("confirmation", "fingerprint", "source", "expires", now - DAY_SECONDS),
    )


def _forget_left(tx: Transaction, old: Old) -> None:
    few = f"SELECT {old.key} FROM {old.table} WHERE {old.which} LIMIT {ROWS_AT_ONCE}"
    gone = tx.all(f"DELETE FROM {old.table} WHERE {old.key} IN ({few}) RETURNING source, generation", (old.before,))
    newest: dict[str, int] = {}
    for list_, generation in gone:
        newest[list_] = max(generation, newest.get(list_, 0))
    tx.executemany(
        "UPDATE source SET forgotten = max(forgotten, ?) WHERE name = ?",
        [(generation, list_) for list_, generation in newest.items()],
    )


def _forget_keys(tx: Transaction) -> None:
    """Another host's key opens the questions that a source brought along, and nothing else."""
    here = "source NOT IN (SELECT list FROM away)"
    tx.execute(f"DELETE FROM former_key WHERE source NOT IN (SELECT source FROM confirmation) AND {here}")


def _forget_parts(tx: Transaction, old: Old) -> None:
    """Rows that came for a hand-over which nobody finished go with their part."""
    few = f"SELECT {old.key} FROM {old.table} WHERE {old.which} LIMIT {PARTS_AT_ONCE}"
    parts = tx.all(f"DELETE FROM {old.table} WHERE ({old.key}) IN ({few}) RETURNING {old.key}", (old.before,))
    tx.executemany("DELETE FROM staged WHERE list = ? AND branch = ? AND epoch = ? AND part = ?", parts)

"""How far a replica is: what is told to its owner, and the file beside it that says so after a crash.

Law: the file is written aside, flushed and renamed: it is the old one or the new one. Everything else in the folder is
read by what it says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from store.durable_files import replace_durably
from store.wal import START, Position

FILE = "position"


@dataclass(frozen=True, slots=True)
class Place:
    """`database`: whose pages they are, "" where nobody said; `whole`: the file is a database, else a copy was begun
    and never ended; `first`: the first log that the file may lack; `base`: where that one begins; `as_of`: when the
    newest commit in the file was made."""

    database: str = ""
    whole: bool = False
    first: int = 1
    base: Position = START
    as_of: float = 0.0


def read_place(folder: Path) -> Place | None:
    """Return what the file says; None where there is none."""
    try:
        found = json.loads((folder / FILE).read_text())
    except FileNotFoundError:
        return None
    return Place(found["database"], found["whole"], found["first"], position(found["base"]), found["as_of"])


def write_place(folder: Path, place: Place) -> None:
    fields = {
        "database": place.database,
        "whole": place.whole,
        "first": place.first,
        "base": told(place.base),
        "as_of": place.as_of,
    }
    replace_durably(folder / FILE, json.dumps(fields).encode())


def told(position: Position) -> list[object]:
    """A position as JSON has it."""
    return [position.salts.hex(), position.frame, position.sum.hex()]


def position(found: object) -> Position:
    """Read one; ValueError where it is none."""
    if not (isinstance(found, list) and len(found) == 3 and isinstance(found[1], int)):
        raise ValueError(f"{found!r} is no position")
    salts, total = bytes.fromhex(found[0]), bytes.fromhex(found[2])
    if len(salts) != 8 or len(total) != 8 or found[1] < 0:
        raise ValueError(f"{found!r} is no position")
    return Position(salts, found[1], total)

"""Which buckets this host really owns.

Law: the zone states the intent, it does not confer ownership. A host owns what the zone gave it when the host first saw
one, until it hands a bucket over (there is no hand-over yet). A bucket that the zone then gives to another host is
still served here; one that it newly gives to this host takes mail and holds it. Nothing is refused and nothing is lost:
set the zone back and everything flows.
"""

from __future__ import annotations

from dataclasses import dataclass

from directory.names import Follow, Name, Reflector, Timeline
from directory.snapshot import Directory
from store import Migration, Transaction

MIGRATION = Migration(
    "heliograph",
    1,
    """
    CREATE TABLE owned (map TEXT NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (map, bucket)) STRICT, WITHOUT ROWID;
    CREATE TABLE claimed (serial INTEGER NOT NULL) STRICT
    """,
)

MAPS = ("timeline", "reflectors")


@dataclass(frozen=True, slots=True)
class Ownership:
    """The buckets of each map that this host owns."""

    timeline: frozenset[int]
    reflectors: frozenset[int]

    def owns(self, name: Name) -> bool:
        """Tell whether this host files mail for a name. What is in no bucket is nobody's to move."""
        match name:
            case Timeline():
                return name.bucket in self.timeline
            case Reflector():
                return name.bucket in self.reflectors
            case Follow(bucket) if bucket is not None:
                return bucket in self.reflectors
        return False

    def unsettled(self, host: str, directory: Directory) -> tuple[list[str], list[str]]:
        """Return the buckets that the zone gives away, and those that it gives to this host: ``b7.timeline`` ..."""
        away, towards = [], []
        for which, owned in ((MAPS[0], self.timeline), (MAPS[1], self.reflectors)):
            named = {bucket for bucket, owner in enumerate(getattr(directory, which)) if owner == host}
            away += [f"b{bucket}.{which}" for bucket in sorted(owned - named)]
            towards += [f"b{bucket}.{which}" for bucket in sorted(named - owned)]
        return away, towards


def claim(tx: Transaction, host: str, directory: Directory) -> Ownership:
    """Return what this host owns. On its first start that is what the zone gives it."""
    if tx.one("SELECT 1 FROM claimed") is None:
        given = [("timeline", b) for b, owner in enumerate(directory.timeline) if owner == host]
        given += [("reflectors", b) for b, owner in enumerate(directory.reflectors) if owner == host]
        tx.executemany("INSERT INTO owned VALUES (?, ?)", given)
        tx.execute("INSERT INTO claimed VALUES (?)", (directory.serial,))
    rows = tx.all("SELECT map, bucket FROM owned")
    return Ownership(*(frozenset(bucket for of, bucket in rows if of == wanted) for wanted in MAPS))

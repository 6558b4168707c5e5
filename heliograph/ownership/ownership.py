"""Which buckets this host really owns, and who owns the others as far as it knows.

Law: the zone states the intent, a hand-over confers ownership. A host owns what the zone gave it when it first saw
one, until it hands a bucket over (`moving/`). Inside a transaction `owns_now` reads the table, so that after a seal
nothing is filed; on the event loop `owns` knows what was committed last.

- A bucket that the zone gives to another host is served here until that host has taken it.
- One that it newly gives to this host holds its mail; who signs in is led to its owner, once that one is known.
- Where this host gave a bucket away, it knows better than an old zone where it went.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import astuple, fields, replace
from typing import Any

from directory.names import Follow, Name, Reflector, Timeline
from directory.snapshot import Directory, Map
from heliograph.ownership.holding import ACQUIRING, OWNER, SEALED, Holding
from store import Reader, Transaction

log = logging.getLogger("heliograph")

BUCKETS_SHOWN_MAX = 10  # in a line of the log
MAPS: tuple[Map, ...] = ("timeline", "reflectors")
FORMER_SECONDS = 14 * 86_400.0  # a queue gives up after 5 days, a moved bucket forwards for 14

_COLUMNS = ", ".join(field.name for field in fields(Holding))
Key = tuple[str, int]
Source = Reader | Transaction


def bucket_of(name: Name) -> tuple[Map, int] | None:
    """Return the bucket that a name moves with. What is in no bucket is nobody's to move."""
    match name:
        case Timeline():
            return "timeline", name.bucket
        case Reflector():
            return "reflectors", name.bucket
        case Follow(bucket) if bucket is not None:
            return "reflectors", bucket
    return None


class Ownership:
    """The buckets of each map, as this host holds them."""

    def __init__(self, host: str, held: Mapping[Key, Holding], former: Mapping[Key, frozenset[str]]) -> None:
        self.host = host
        self._held = dict(held)
        self._former = dict(former)
        self.doubles: dict[Key, str] = {}  # by bucket, another host that says it owns it too: for the operator
        self._zone: Directory | None = None
        self._seen: Directory | None = None

    # --- who owns

    def owns(self, name: Name) -> bool:
        """Tell whether this host files mail for a name."""
        key = bucket_of(name)
        return key is not None and self.state(*key) == OWNER

    def owns_now(self, tx: Source, name: Name) -> bool:
        """The same inside a transaction, for all that changes something. What is in no bucket may always be filed."""
        key = bucket_of(name)
        if key is None:
            return True
        found = find(tx, *key)
        return found is not None and found.state == OWNER

    def awaits(self, name: Name) -> bool:
        """Tell whether a name's bucket is on its way here: its mail is held until it has come. Sent on it would go in
        a circle: who gave it away last sends it here."""
        key = bucket_of(name)
        if key is None or self.owns(name):
            return False
        return self.state(*key) == ACQUIRING or (self._zone is not None and self._zone.owner(*key) == self.host)

    def state(self, which: str, bucket: int) -> str:
        held = self._held.get((which, bucket))
        return held.state if held else ""

    def holding(self, which: str, bucket: int) -> Holding | None:
        return self._held.get((which, bucket))

    def was_named(self, key: Key, host: str) -> bool:
        """Tell whether the zone lately named a host for a bucket, and another one since."""
        return host in self._former.get(key, ())

    def held(self) -> list[Holding]:
        """Return everything that was committed last, in order."""
        return [self._held[key] for key in sorted(self._held)]

    def directory(self, zone: Directory) -> Directory:
        """Return the zone with what this host knows better: where its own buckets are, and whence those come that the
        zone gives it ("": it does not know)."""
        if zone is not self._zone or self._seen is None:
            self._zone, self._seen = zone, self._known_better(zone)
        return self._seen

    def counts(self) -> dict[str, int]:
        """How many buckets this host owns, by map."""
        owned = Counter(held.map for held in self._held.values() if held.state == OWNER)
        return {which: owned[which] for which in MAPS}

    def unsettled(self, directory: Directory) -> tuple[list[str], list[str]]:
        """Return the buckets that the zone gives away, and those that it gives to this host: ``b7.timeline`` ..."""
        away: list[str] = []
        towards: list[str] = []
        for which in MAPS:
            for bucket, named in enumerate(getattr(directory, which)):
                owned = self.state(which, bucket) == OWNER
                if owned != (named == self.host):
                    (away if owned else towards).append(f"b{bucket}.{which}")
        return away, towards

    def tell_unsettled(self, directory: Directory) -> None:
        """Say in the log where the zone says otherwise."""
        away, towards = self.unsettled(directory)
        if away:
            log.warning("the zone gives away what is still served here: %s", _some(away))
        if towards:
            text = "the zone gives this host what was not handed over to it; mail for it waits: %s"
            log.warning(text, _some(towards))

    def _known_better(self, zone: Directory) -> Directory:
        timeline, reflectors = (self._owners(zone, which) for which in MAPS)
        return replace(zone, timeline=timeline, reflectors=reflectors, former=self._former)

    def _owners(self, zone: Directory, which: Map) -> tuple[str, ...]:
        named = [("" if host == self.host else host) for host in getattr(zone, which)]
        for (of, bucket), held in self._held.items():
            if of == which and bucket < len(named):
                named[bucket] = self.host if held.state == OWNER else _elsewhere(held, named[bucket])
        return tuple(named)

    # --- what changes it

    def put(self, tx: Transaction, *holdings: Holding, then: Callable[[], object] = lambda: None) -> None:
        """Write what becomes of buckets; the loop knows it once it is durable, and `then` is called."""
        marks = ", ".join("?" * len(fields(Holding)))
        rows = [astuple(holding) for holding in holdings]
        tx.executemany(f"INSERT OR REPLACE INTO holding ({_COLUMNS}) VALUES ({marks})", rows)
        tx.after_commit(lambda: self._changed(holdings))
        tx.after_commit(then)

    def drop(self, tx: Transaction, *holdings: Holding) -> None:
        """Forget buckets that were to come and do not."""
        keys = [(holding.map, holding.bucket) for holding in holdings]
        tx.executemany("DELETE FROM holding WHERE map = ? AND bucket = ?", keys)
        tx.after_commit(lambda: self._dropped(keys))

    def _changed(self, holdings: tuple[Holding, ...]) -> None:
        self._held.update({(holding.map, holding.bucket): holding for holding in holdings})
        for holding in holdings:
            self.doubles.pop((holding.map, holding.bucket), None)
        self._seen = None

    def _dropped(self, keys: list[Key]) -> None:
        for key in keys:
            self._held.pop(key, None)
        self._seen = None

    def note_named(self, tx: Transaction, directory: Directory, now: float) -> None:
        """Remember whom the zone named, for as long as what they signed may be on its way."""
        known = {(m, b): host for m, b, host in tx.all("SELECT map, bucket, host FROM named WHERE until IS NULL")}
        named = [(which, b, host) for which in MAPS for b, host in enumerate(getattr(directory, which))]
        new = [row for row in named if known.get(row[:2]) != row[2]]
        gone = [(now + FORMER_SECONDS, *row[:2]) for row in new if row[:2] in known]
        tx.executemany("UPDATE named SET until = ? WHERE map = ? AND bucket = ? AND until IS NULL", gone)
        tx.executemany("INSERT OR REPLACE INTO named VALUES (?, ?, ?, NULL)", new)
        tx.execute("DELETE FROM named WHERE until < ?", (now,))
        former = _former(tx)
        tx.after_commit(lambda: self._remember(former))

    def _remember(self, former: Mapping[Key, frozenset[str]]) -> None:
        self._former = dict(former)
        self._seen = None


def find(source: Source, which: str, bucket: int) -> Holding | None:
    """Return what this host holds of a bucket."""
    row = source.one(f"SELECT {_COLUMNS} FROM holding WHERE map = ? AND bucket = ?", (which, bucket))
    return _holding(row) if row else None


def claim(tx: Transaction, host: str, directory: Directory) -> Ownership:
    """Return what this host owns. On its first start that is what the zone gives it."""
    if tx.one("SELECT 1 FROM claimed") is None:
        given = [(which, b) for which in MAPS for b, owner in enumerate(getattr(directory, which)) if owner == host]
        tx.executemany("INSERT INTO holding VALUES (?, ?, 'owner', 1, '', 0, 0, 0)", given)
        tx.execute("INSERT INTO claimed VALUES (?)", (directory.serial,))
    held = [_holding(row) for row in tx.all(f"SELECT {_COLUMNS} FROM holding")]
    return Ownership(host, {(one.map, one.bucket): one for one in held}, _former(tx))


def _some(buckets: list[str]) -> str:
    shown = ", ".join(buckets[:BUCKETS_SHOWN_MAX])
    return shown if len(buckets) <= BUCKETS_SHOWN_MAX else f"{shown} and {len(buckets) - BUCKETS_SHOWN_MAX} more"


def _elsewhere(held: Holding, named: str) -> str:
    """Where a bucket is that is not ours. `named`: whom the zone names, "" where that is this host."""
    return held.peer if held.state == SEALED else named or held.peer


def _holding(row: tuple[Any, ...]) -> Holding:
    return replace(Holding(*row), kept=bool(row[-1]))


def _former(source: Source) -> dict[Key, frozenset[str]]:
    former: dict[Key, frozenset[str]] = {}
    for which, bucket, host in source.all("SELECT map, bucket, host FROM named WHERE until IS NOT NULL"):
        former[which, bucket] = former.get((which, bucket), frozenset()) | {host}
    return former

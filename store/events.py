"""The append-only outbox of what happened: accepted, expanded, filed, deferred, bounced ...

Law: an event is written in the transaction of what it tells of; it is never changed. Feedback, metrics and archives
are made from it. One event per step, with counts, never one per follower.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from store.database import Reader
from store.transaction import Transaction

EVENTS_KEPT = 1_000_000  # some 200 MB; older ones go: who needs them for ever reads along
TRIM_EVERY = 1_000  # events: letting go of so many old ones at once takes a millisecond

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode  # made once: half the price of an event


@dataclass(frozen=True, slots=True)
class Tally:
    """How many events of a kind there were, of how many recipients they told, and how many of them told of a post."""

    events: int = 0
    recipients: int = 0
    posts: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.events + other.events, self.recipients + other.recipients, self.posts + other.posts)


def append(tx: Transaction, at: float, kind: str, **detail: Any) -> None:
    """Write one event. `at`: seconds since 1970; `detail` must be JSON."""
    text = _encode(detail)
    seq = tx.insert("INSERT INTO event (at, kind, detail) VALUES (?, ?, ?)", (at, kind, text))
    if seq % TRIM_EVERY == 0:
        _trim(tx, seq - EVENTS_KEPT)


def since(reader: Reader, seq: int, limit: int = 1000) -> list[tuple[int, float, str, dict[str, Any]]]:
    """Return events after `seq`, oldest first: (seq, at, kind, detail)."""
    rows = reader.all("SELECT seq, at, kind, detail FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))
    return [(seq, at, kind, json.loads(detail)) for seq, at, kind, detail in rows]


def last(reader: Reader) -> int:
    """Return the number of the newest event, 0 where there is none."""
    row = reader.one("SELECT coalesce(max(seq), 0) FROM event")
    assert row is not None
    return int(row[0])


def tally(reader: Reader, after: int, upto: int) -> dict[str, Tally]:
    """Count the events in (after, upto] by kind. A thousand take two milliseconds: not for the loop."""
    rows = reader.all(
        "SELECT kind, count(*), coalesce(sum(json_extract(detail, '$.recipients')), 0),"
        " count(json_extract(detail, '$.post')) FROM event WHERE seq > ? AND seq <= ? GROUP BY kind",
        (after, upto),
    )
    return {kind: Tally(*counts) for kind, *counts in rows}


def _trim(tx: Transaction, upto: int) -> None:
    tx.execute("DELETE FROM event WHERE seq <= ?", (upto,))

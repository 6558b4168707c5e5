"""The append-only outbox of what happened: accepted, expanded, filed, deferred, bounced ...

Law: an event is written in the transaction of what it tells of; it is never changed. Feedback, metrics and archives
are made from it. One event per step, with counts, never one per follower.
"""

from __future__ import annotations

import json
from typing import Any

from store.database import Reader
from store.transaction import Transaction

EVENTS_KEPT = 1_000_000  # some 200 MB; older ones go: who needs them for ever reads along
TRIM_EVERY = 1_000  # events: letting go of so many old ones at once takes a millisecond

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode  # made once: half the price of an event


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


def _trim(tx: Transaction, upto: int) -> None:
    tx.execute("DELETE FROM event WHERE seq <= ?", (upto,))

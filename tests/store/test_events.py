"""What happened is kept in order, and not for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from store import Store, events
from store.bodies import MIGRATION


def test_the_oldest_events_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "EVENTS_KEPT", 20)
    monkeypatch.setattr(events, "TRIM_EVERY", 10)
    store = Store(tmp_path / "host.db", [MIGRATION])
    for n in range(1, 36):
        store.write_now(lambda tx, n=n: events.append(tx, float(n), "filed", n=n))
    kept = events.since(store.reader, 0)
    assert kept[0] == (11, 11.0, "filed", {"n": 11})
    assert [seq for seq, *_ in kept] == list(range(11, 36))
    store.close()

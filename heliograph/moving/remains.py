"""What a lost host has that its heir has not, as the rooms see it: in their words, for both maps.

Law: as cargo.py: who moves knows no room's tables. A unit that the heir does not know at all goes whole, as cargo.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from heliograph.moving.cargo import Part
from ingest import carrying as feeds
from mailbox_host import carrying as accounts
from mailbox_host import extras as mail
from mailbox_host import gaps
from mailbox_host.merging import Merge
from reflector import extras as lists
from store import Reader, Transaction

Source = Reader | Transaction


def skip(tx: Transaction, which: str, units: list[str], host: str) -> None:
    """Leave numbers free that a lost host may have given after it had these from here."""
    names = [unit for unit in units if not unit.startswith((feeds.NEWS, *feeds.PARTS))]
    (gaps.skip_units if which == "timeline" else lists.skip_units)(tx, names, host)


def gap_of(source: Source, which: str, unit: str, host: str) -> Any:
    """Return what the heir knows of where the host's word on a unit ended; None: it has no such unit."""
    if unit.startswith((feeds.NEWS, *feeds.PARTS)):
        return {} if feeds.is_here(source, unit) else None
    return gaps.gap_of(source, unit, host) if which == "timeline" else lists.gap_of(source, unit, host)


def own_gap(source: Source, which: str, unit: str, host: str) -> Any:
    """What this host says of itself where another owns a unit too: from where its word is to be heard."""
    if unit.startswith((feeds.NEWS, *feeds.PARTS)):
        return None
    return (gaps if which == "timeline" else lists).own_gap(source, unit, host)


def note(tx: Transaction, which: str, unit: str, host: str, gap: Any) -> None:
    """Note it at the other one."""
    if gap is not None:
        (gaps if which == "timeline" else lists).note(tx, unit, host, gap)


def parts(source: Source, which: str, unit: str, gap: Any) -> Iterator[Part]:
    """Read what lies behind the gap's beginning."""
    if not gap:
        return iter(())
    if which == "timeline":
        return mail.parts(accounts.layout(source), source, unit, gap)
    return iter(lists.parts(source, unit, gap))


def bodies_of(part: Part) -> set[bytes]:
    return mail.bodies_of(part)


class Merging:
    """Takes parts of both maps from one host."""

    def __init__(self, source: Source, host: str) -> None:
        self._mail = Merge(accounts.layout(source), host)

    def put(self, tx: Transaction, which: str, part: Part, now: float) -> None:
        if which == "timeline":
            self._mail.put(tx, part, now)
        else:
            lists.merge(tx, part, now)

"""The other end of a lost host's return: what it gives is put beside what is here, each thing once.

Law: only an owner takes anything in, in the transaction in which it is one; and of a unit that it has not, all or
nothing: it is nobody's until the last part has come.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from heliograph.moving import remains
from heliograph.moving.frames import Broken, Word, packed
from heliograph.moving.parties import Party
from heliograph.ownership.holding import OWNER
from heliograph.ownership.ownership import find
from store import Transaction, events

UNITS_MAX = 1_000  # in one question


class Merging:
    """One stream's."""

    def __init__(self, party: Party, peer: str) -> None:
        self._party, self._peer = party, peer
        self._remains = remains.Merging(party.store.reader, peer)

    async def gaps(self, word: Word) -> Word:
        """Tell of units what is known here; where one is not known, what is left of an earlier try goes."""
        which, units = word.about["map"], word.value
        if which not in self._party.cargo or len(units) > UNITS_MAX:
            raise Broken(f"{len(units)} units of {which}")
        if word.about.get("own"):
            await self._party.store.write(partial(self._note, which, units))
            units = [unit for unit, _ in units]
        reader = self._party.store.reader
        return packed("gaps", [remains.gap_of(reader, which, unit, self._peer) for unit in units])

    def _note(self, which: str, own: list[Any], tx: Transaction) -> None:
        cargo, party = self._party.cargo[which], self._party
        for unit, gap in own:
            mine = find(tx, which, cargo.bucket_of(unit, party.names.bucket))
            if mine is not None and mine.state == OWNER:
                remains.note(tx, which, unit, self._peer, gap)

    async def extras(self, word: Word) -> Word:
        which = word.about["map"]
        for part in word.value:
            await self._party.store.write(partial(self._put, which, part))
        await self._party.at("merged")
        return Word("ok")

    def _put(self, which: str, part: dict[str, Any], tx: Transaction) -> None:
        party, unit, now = self._party, part["name"], self._party.clock()
        cargo = party.cargo[which]
        mine = find(tx, which, cargo.bucket_of(unit, party.names.bucket))
        if mine is None or mine.state != OWNER:
            raise Broken(f"{unit} is not this host's any more")
        if remains.gap_of(tx, which, unit, self._peer) is not None:
            if part["part"] in ("short", "changed", "extra", "end", "subscribers", "posted"):
                self._remains.put(tx, which, part, now)
        elif part["part"] == "arrive":
            cargo.arrive(tx, [unit], "", now)
            events.append(tx, now, "taken-back", map=which, unit=unit, host=self._peer)
        else:
            cargo.put(tx, part)

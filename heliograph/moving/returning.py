"""A lost host's end of its return: it gives the host that has its buckets by now what that one never heard of.

Law: every entry beyond what its replica showed is offered, and all flags; nothing is let go of before the other host
has said that it has it. It may break off anywhere, and is done again from the beginning: the other side knows what it
took.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from heliograph.moving import remains
from heliograph.moving.cargo import Cargo, Part
from heliograph.moving.frames import packed
from heliograph.moving.line import Line
from heliograph.moving.parties import Party, by_map
from heliograph.moving.settling import owed, settled
from heliograph.moving.shipping import BodiesOf, Shipping
from heliograph.ownership.holding import Holding
from store import Reader

UNITS_AT_ONCE = 100  # asked about in one word


class Returning:
    """One stream to one host."""

    def __init__(self, party: Party, line: Line, ships: Shipping) -> None:
        self._party, self._line, self._ships = party, line, ships

    async def give(self, back: list[Holding]) -> None:
        """Give all that is here of these buckets and not there."""
        party = self._party
        for which, buckets in by_map((one.map, one.bucket) for one in back).items():
            wanted = party.in_buckets(buckets)
            cargo = party.cargo[which]
            units = await party.store.read(partial(_units, cargo, wanted))
            for at in range(0, len(units), UNITS_AT_ONCE):
                await self._give_some(which, cargo, units[at : at + UNITS_AT_ONCE])

    async def _give_some(self, which: str, cargo: Cargo, units: list[str]) -> None:
        party = self._party
        asked = packed("gaps", units, map=which)
        if party.host not in party.zone().lost:  # it gives way to another owner, who knows nothing of where it began
            own = await party.store.read(partial(_own_gaps, which, units, party.host))
            asked = packed("gaps", own, map=which, own=True)
        gaps = (await self._line.ask(asked, "gaps")).value
        await party.at("returning")
        whole = [unit for unit, gap in zip(units, gaps, strict=True) if gap is None]
        await owed(party, cargo, whole)
        await settled(party, cargo, units)  # entries are made of the log, which stays here
        for unit in whole:
            await self._send(which, partial(_whole, cargo, unit), partial(_bodies_of, cargo))
        for unit, gap in zip(units, gaps, strict=True):
            if gap:
                await self._send(which, partial(_extras, which, unit, gap), remains.bodies_of)
        await party.at("returned")

    async def _send(self, which: str, read: Callable[[Reader], Iterator[Part]], bodies_of: BodiesOf) -> None:
        reader = self._party.store.reader_of_its_own()
        try:
            await self._ships.send("extras", which, read(reader), bodies_of)
        finally:
            reader.connection.close()


def _own_gaps(which: str, units: list[str], host: str, reader: Reader) -> list[Any]:
    return [[unit, remains.own_gap(reader, which, unit, host)] for unit in units]


def _units(cargo: Cargo, wanted: Any, reader: Reader) -> list[str]:
    return cargo.units(reader, wanted)


def _whole(cargo: Cargo, unit: str, reader: Reader) -> Iterator[Part]:
    """A unit that the other host has never heard of, as in a hand-over, and the word that it is there."""
    yield from cargo.parts(reader, unit, cargo.told())
    yield {"part": "arrive", "name": unit}


def _extras(which: str, unit: str, gap: Any, reader: Reader) -> Iterator[Part]:
    return remains.parts(reader, which, unit, gap)


def _bodies_of(cargo: Cargo, part: Part) -> set[bytes]:
    return set() if part["part"] == "arrive" else cargo.bodies_of(part)

"""What is due of units before they go: entries of what nobody looked at, posts that another server is to have.

Law: nothing is asked for under the seal that could be done before it; what is another task's to do is waited for.
"""

from __future__ import annotations

import asyncio
from functools import partial

from heliograph.moving.cargo import Cargo
from heliograph.moving.parties import Party
from store import Transaction

UNITS_SETTLED_AT_ONCE = 200
SETTLE_SECONDS = 0.01  # until it is asked again: handing out is another task's (heliograph/shelves)


async def settled(party: Party, cargo: Cargo, units: list[str]) -> bool:
    """Make what is due, for under the seal it would take its time; tell whether that was little."""
    whole = True
    for at in range(0, len(units), UNITS_SETTLED_AT_ONCE):
        settle = partial(_settle, cargo, units[at : at + UNITS_SETTLED_AT_ONCE], party.clock())
        while not await party.store.write(settle):
            whole = False
            await asyncio.sleep(SETTLE_SECONDS)
    return whole


async def owed(party: Party, cargo: Cargo, units: list[str]) -> None:
    """They go whole to a host that never had them: see that all that is due of them is made here."""
    await party.store.write(lambda tx: cargo.owe(tx, units))
    await settled(party, cargo, units)


def _settle(cargo: Cargo, units: list[str], now: float, tx: Transaction) -> bool:
    return cargo.settle(tx, units, now)

"""How many connections to foreign hosts there are, and whose turn it is when one ends.

Law: whoever was denied one is asked again, until he has one or needs none any more; nobody keeps one for all he has
while others wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from spool.destination import Destination, Key

TURN_BATCHES = 10  # by one connection while others wait: its making and its greeting cost as much as a batch or two


class Connections:
    """Counts those that are open, or being opened. Hosts of the fabric and shelves are few, and need no leave.
    `admit`: gives one to a destination that was denied it, if it still has work."""

    def __init__(self, most: int, admit: Callable[[Destination], None]) -> None:
        self._most, self._admit = most, admit
        self._open = 0
        self._denied: dict[Key, Destination] = {}

    def take(self, destination: Destination) -> bool:
        """Ask for one more; where it is granted, `leave` must follow."""
        if destination.abroad is None:
            return True
        if self._open >= self._most:
            self._denied[destination.key] = destination
            return False
        self._open += 1
        return True

    def is_wanted(self, destination: Destination, served: int) -> bool:
        """Tell whether one that this destination has, and sent so many batches by, is others' turn: ten large providers
        have enough work for all."""
        if destination.abroad is None or served < TURN_BATCHES:
            return False
        return any(key != destination.key for key in self._denied)

    def leave(self, destination: Destination) -> None:
        if destination.abroad is not None:
            self._open -= 1
            asyncio.get_running_loop().call_soon(self._admit_denied)

    def _admit_denied(self) -> None:
        """Who needs none any more leaves it to the next."""
        while self._denied and self._open < self._most:
            self._admit(self._denied.pop(next(iter(self._denied))))

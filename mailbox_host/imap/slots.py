"""Room for large literals: only so many may be on their way at a time.

Law: the memory that messages take while they arrive is bounded for the host, and no account can take all of it.
"""

from __future__ import annotations

import asyncio


class Slots:
    """Counts who holds one of `total` slots; an account holds `each` at most."""

    def __init__(self, total: int, each: int) -> None:
        self._total = total
        self._each = each
        self._held: dict[str, int] = {}
        self._changed = asyncio.Condition()

    async def take(self, account: str) -> None:
        """Wait for a slot."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._free(account))
            self._held[account] = self._held.get(account, 0) + 1

    async def give_back(self, account: str) -> None:
        self._held[account] -= 1
        if not self._held[account]:
            del self._held[account]
        async with self._changed:
            self._changed.notify_all()

    def _free(self, account: str) -> bool:
        return sum(self._held.values()) < self._total and self._held.get(account, 0) < self._each

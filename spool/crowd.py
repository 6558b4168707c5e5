"""How many are connected: in all, and from one address.

Law: counted before anything is read. Loopback is exempt from the count by address, for proxies and this host's own
tools come from there.
"""

from __future__ import annotations

from collections import Counter

from mail.loopback import is_loopback


class Crowd:
    """Of one server, or of several that share a limit."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most, self._most_per_address = most, most_per_address
        self._present: Counter[str] = Counter()
        self.count = 0

    @property
    def is_too_large(self) -> bool:
        """Whether there are more than may be, wherever they come from."""
        return self.count > self._most

    def enter(self, address: str) -> bool:
        """Count a connection; tell whether it may stay. `leave` must follow in any case."""
        self.count += 1
        self._present[address] += 1
        if self.is_too_large:
            return False
        return self._present[address] <= self._most_per_address or is_loopback(address)

    def leave(self, address: str) -> None:
        self.count -= 1
        self._present[address] -= 1
        if not self._present[address]:
            del self._present[address]

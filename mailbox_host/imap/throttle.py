"""Wrong passwords make the next try wait, per address and per account.

Law: bounded memory, whatever is offered as a name; who guesses waits longer and longer, the rightful owner of a name
under attack only a little. A host has one of these: who may guess over IMAP may not begin anew over SMTP. Pure: the
clock comes in.
"""

from __future__ import annotations

import ipaddress

from mail.loopback import is_loopback

KEYS_MAX = 20_000  # addresses and accounts remembered; the longest known are forgotten first
NAME_LENGTH_MAX = 64  # of what is offered: an account's name is shorter, see mail.address
FORGET_SECONDS = 900.0
FREE_TRIES = 10  # a client opens several connections at once, and people mistype
FIRST_WAIT_SECONDS = 0.5
ADDRESS_WAIT_SECONDS_MAX = 16.0
ACCOUNT_WAIT_SECONDS_MAX = 4.0  # nobody locks another out by guessing at her name


class Throttle:
    """Counts tries that have not succeeded."""

    def __init__(self) -> None:
        self._tries: dict[str, tuple[int, float]] = {}

    def attempt(self, address: str, account: str, now: float) -> float:
        """Count a try and return the seconds that it must wait. Loopback is exempt: one machine is one user."""
        if is_loopback(address):
            return 0.0
        by_address = self._count(_network(address), now)
        by_account = self._count(_name(account), now)
        return max(_wait(by_address, ADDRESS_WAIT_SECONDS_MAX), _wait(by_account, ACCOUNT_WAIT_SECONDS_MAX))

    def succeeded(self, address: str, account: str) -> None:
        """Take the try back. The address keeps its other failures: an attacker may own an account."""
        self._tries.pop(_name(account), None)
        count, at = self._tries.pop(_network(address), (0, 0.0))
        if count > 1:
            self._tries[_network(address)] = (count - 1, at)

    def undecided(self, address: str, account: str) -> None:
        """Take a try back of which nobody could say whether it was right: the account's host was away, or who asked
        did not wait for the answer. Else a client that tries again and again would keep itself out."""
        for key in (_name(account), _network(address)):
            count, at = self._tries.pop(key, (0, 0.0))
            if count > 1:
                self._tries[key] = (count - 1, at)

    def _count(self, key: str, now: float) -> int:
        count, at = self._tries.pop(key, (0, now))
        count = 1 if now - at > FORGET_SECONDS else count + 1
        self._tries[key] = (count, now)
        if len(self._tries) > KEYS_MAX:
            del self._tries[next(iter(self._tries))]
        return count


def _wait(count: int, most: float) -> float:
    over = min(count - FREE_TRIES, 16)
    return 0.0 if over <= 0 else min(most, FIRST_WAIT_SECONDS * 2.0 ** (over - 1))


def _name(account: str) -> str:
    return f"account {account[:NAME_LENGTH_MAX]}"


def _network(address: str) -> str:
    """An IPv6 customer has a whole /64 to guess from."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4 or parsed.ipv4_mapped:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))

"""What others may: transfer the zone, or make us look for a newer one.

Law: where the configuration names a transfer key, a signature decides; without one, the addresses of the fabric's hosts
and the networks that the operator listed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from directory.settings import Settings
from directory.snapshot import Directory
from directory.tsig import Key


class Permissions:
    """`rung` is called with the source of a NOTIFY that counts."""

    def __init__(
        self, settings: Settings, current: Callable[[], Directory | None], rung: Callable[[str], None]
    ) -> None:
        self._settings, self._current, self._rung = settings, current, rung
        self._networks = tuple(ipaddress.ip_network(text) for text in settings.transfer_to)

    def may_transfer(self, source: str, key: Key | None) -> bool:
        if key or self._settings.transfer_key:
            return key is not None
        return self._is_host(source) or any(ipaddress.ip_address(source) in network for network in self._networks)

    def notified(self, source: str, key: Key | None) -> bool:
        if self._settings.transfer_key and key is None:
            return False
        foreign = self._settings.primary_is_foreign
        if source != self._settings.primary_address and (foreign or not self._is_host(source)):
            return False
        self._rung(source)
        return True

    def _is_host(self, source: str) -> bool:
        current = self._current()
        hosts = {host.address for host in current.hosts.values()} if current else set()
        return source == self._settings.address or source in hosts

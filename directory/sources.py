"""Whom a host asks for the zone: the primary that the configuration names, or the host that took its place.

Law: the zone says itself who its primary is (the SOA's first name, RFC 1035 3.3.13). A host that sends NOTIFY is
believed to be the primary only if its zone is newer than ours and says so; so the fabric follows `zone primary` without
a word to the other hosts, and a primary that comes back from the dead finds that it is none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Literal

from directory import fabric, wire
from directory.problem import Problem
from directory.settings import Settings
from directory.transfer_in import Primary, SerialWentBack, TransferFailed, ask, fetch
from directory.zone import Zone, is_newer, soa_numbers

log = logging.getLogger(__name__)

ASK_SECONDS = 1.0  # for a host that may be gone; a start waits for it
RUMOURS_MAX = 256  # as many hosts as a fabric may have


class Sources:
    """Asks for the zone. `port`: where this fabric's hosts serve DNS."""

    def __init__(self, settings: Settings, port: Callable[[], int], clock: Callable[[], float]) -> None:
        self._settings, self._port, self._clock = settings, port, clock
        self._origin = wire.name_of(settings.domain)
        self._rumours: set[str] = set()
        self._heard = clock()  # when a primary answered last
        self.silence: tuple[Problem, ...] = ()  # of the primary, where it lasts too long

    def heard_of(self, source: str) -> None:
        """NOTIFY came from there."""
        if len(self._rumours) < RUMOURS_MAX:
            self._rumours.add(source)

    async def newer(self, zone: Zone | None) -> Zone | tuple[Problem, ...]:
        """Return a zone newer than ours if there is one, else what is wrong with the primary's; TransferFailed where it
        cannot be asked."""
        usual = self._usual(zone)
        rumours, self._rumours = self._rumours, set()
        for address in sorted(rumours - {usual}):
            with suppress(TransferFailed, SerialWentBack):
                if zone and await self.rival(address, zone) == "newer":
                    return await self._fetch(address, zone) or ()
        found: Zone | tuple[Problem, ...]
        try:
            found = await self._fetch(usual, zone) or ()
        except SerialWentBack as back:
            found = (_gone_back(zone.serial if zone else 0, back.serial),)
        except TransferFailed:
            self._note_silence(usual, zone)
            raise
        self._heard, self.silence = self._clock(), ()
        return found

    async def rival(self, address: str, zone: Zone) -> Literal["newer", "older", "none"]:
        """Tell whether the host at an address is the primary, by its own zone, and of a newer one than ours."""
        claim = await ask(self._at(address), self._origin, ASK_SECONDS)
        if address != self._settings.primary_address and address not in fabric.addresses_of(zone, claim.primary):
            return "none"
        if is_newer(claim.serial, zone.serial):
            return "newer"
        return "older" if is_newer(zone.serial, claim.serial) else "none"

    async def successor(self, zone: Zone) -> str:
        """The address of a host that took our place while we were away, or ""."""
        others = sorted(set(_addresses(zone)) - {self._settings.address})
        answers = await asyncio.gather(*(self.rival(address, zone) for address in others), return_exceptions=True)
        return next((address for address, rival in zip(others, answers, strict=True) if rival == "newer"), "")

    def _note_silence(self, primary: str, zone: Zone | None) -> None:
        """Say so where the primary was not heard for longer than the SOA's expire (RFC 1035 3.3.13)."""
        seconds, expire = self._clock() - self._heard, soa_numbers(zone.soa.rdatas[0])[3] if zone else 0
        if zone is None or seconds <= expire:
            return
        text = f"the primary, {primary}, did not answer for {seconds / 3600:.1f} hours, and the zone expires after"
        remedy = "It is served and routed by all the same. Start the primary, or: heliograph zone primary HOST."
        silence = Problem(0, f"{text} {expire / 3600:.1f}", remedy, warning=True)
        if not self.silence:
            log.warning("dns: %s. %s", silence.text, remedy)
        self.silence = (silence,)

    def _usual(self, zone: Zone | None) -> str:
        """The primary by our zone, where that is another host; else by the configuration."""
        settings = self._settings
        if zone is None or settings.primary_is_foreign:
            return settings.primary_address
        name = wire.read_name(zone.soa.rdatas[0], 0)[0].lower()
        address = fabric.address_of(zone, name) if fabric.host_name(zone, name) else ""
        return address if address and address != settings.address else settings.primary_address

    async def _fetch(self, address: str, zone: Zone | None) -> Zone | None:
        return await fetch(self._at(address), self._origin, zone.serial if zone else None, zone)

    def _at(self, address: str) -> Primary:
        settings = self._settings
        key = settings.keys.get(settings.transfer_key)
        foreign = settings.primary_is_foreign and address == settings.primary_address
        port = settings.primary_port if foreign and settings.primary_port else self._port()
        return Primary(address, port, settings.address, key)


def _addresses(zone: Zone) -> Iterator[str]:
    for host in fabric.host_names(zone):
        if address := fabric.address_of(zone, fabric.label(host) + zone.origin):
            yield address


def _gone_back(before: int, serial: int) -> Problem:
    remedy = f"Write {(before + 1) & 0xFFFFFFFF} or a later one there."
    return Problem(0, f"the serial goes back, from {before} to {serial}", remedy)

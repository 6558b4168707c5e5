"""NOTIFY out (RFC 1996): tells the other hosts that the zone changed, until they say they heard.

Law: a lost NOTIFY costs minutes, never the zone: the SOA's refresh is behind it. So a few tries are enough, and a newer
version makes the older one's tries pointless.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from collections.abc import Callable, Iterable

from directory import wire
from directory.tsig import Key, Signer

# RFC 1996 3.6: retries with back-off, until refresh finds it anyway. Who was away for a minute is told soon after.
WAITS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0, 60.0, 60.0, 60.0)
TARGETS_MAX = 1_000  # hosts and foreign secondaries: a limit on what one edit sets going

Send = Callable[[bytes, tuple[str | int, ...]], None]
Target = tuple[str, int]


class Notifier:
    """Sends from the server's own socket, so that the source is the address by which the primary is known."""

    def __init__(
        self,
        send: Send,
        waits_seconds: tuple[float, ...] = WAITS_SECONDS,
        key: Key | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._send, self._waits_seconds, self._key, self._clock = send, waits_seconds, key, clock
        self._waiting: dict[tuple[str, int], asyncio.Event] = {}  # (address, ID)

    async def tell(self, origin: bytes, targets: Iterable[Target], soa: bytes = b"") -> list[Target]:
        """Tell all; return who did not answer. Cancel it when a newer version is to be told. `soa`: the new record,
        which spares those who have it a question (RFC 1996 3.7)."""
        chosen = sorted(set(targets))[:TARGETS_MAX]
        heard = await asyncio.gather(*(self._tell_one(origin, target, soa) for target in chosen))
        return [target for target, yes in zip(chosen, heard, strict=True) if not yes]

    def answered(self, packet: bytes, source: str) -> None:
        """Take a response that came in. A stranger would have to guess the ID and forge the address, to no gain."""
        if packet[2] >> 3 & 15 == wire.NOTIFY:
            event = self._waiting.get((source, int.from_bytes(packet[:2], "big")))
            if event:
                event.set()

    async def _tell_one(self, origin: bytes, target: Target, soa: bytes) -> bool:
        ident, heard = secrets.randbits(16), asyncio.Event()
        message = wire.HEADER.pack(ident, wire.NOTIFY << 11 | wire.AA, 1, 1 if soa else 0, 0, 0)
        message += origin + struct.pack("!HH", wire.SOA, wire.CLASS_IN) + soa
        self._waiting[target[0], ident] = heard
        try:
            for wait in self._waits_seconds:
                self._send(Signer(self._key).sign(message, self._clock()) if self._key else message, target)
                try:
                    async with asyncio.timeout(wait):
                        await heard.wait()
                    return True
                except TimeoutError:
                    continue
            return False
        finally:
            self._waiting.pop((target[0], ident), None)

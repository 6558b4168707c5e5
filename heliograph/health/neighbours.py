"""What each host says of itself, and who asks them all.

Law: a host that is dead, frozen or strange costs a bounded time and is one line of the answer, whatever it sends. One
host's word is asked for by the others only (streams); people ask through the control socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from directory.snapshot import Directory, HostRecord
from heliograph.streams import NoStream, Streams

PURPOSE = "status"
ANSWER_SECONDS_MAX = 3.0  # connecting included: who looks for trouble must not wait for the host that has it
ANSWER_OCTETS_MAX = 65_536  # a host's word is some hundred octets
ASKED_AT_ONCE = 64  # handshakes: 256 hosts that are all away take four times the above

Word = dict[str, Any]


class Neighbours:
    """Gives this host's word to other hosts, and collects theirs. `purpose`: how it is asked for, which says of what;
    `octets_max`: of a word."""

    def __init__(
        self,
        host: str,
        directory: Callable[[], Directory],
        streams: Streams,
        own: Callable[[], Awaitable[Word]],
        purpose: str = PURPOSE,
        octets_max: int = ANSWER_OCTETS_MAX,
    ) -> None:
        self._host, self._directory, self._streams, self._own = host, directory, streams, own
        self._purpose, self._octets_max = purpose, octets_max

    async def handle_stream(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        """Tell another host how this one is."""
        writer.write(json.dumps(await self._own()).encode() + b"\n")
        await writer.drain()

    async def survey(self) -> Word:
        """Return every host's word, in the zone's order; of one that gave none, why."""
        turns = asyncio.Semaphore(ASKED_AT_ONCE)
        asked = (self._ask(host, turns) for host in self._directory().hosts.values())
        return {"hosts": await asyncio.gather(*asked)}

    async def _ask(self, host: HostRecord, turns: asyncio.Semaphore) -> Word:
        known = {"host": host.name, "address": host.address}
        if host.name == self._host:
            return await self._own() | known
        try:
            async with turns, asyncio.timeout(ANSWER_SECONDS_MAX):
                return await self._heard(host.name) | known
        except TimeoutError:
            trouble = f"no answer within {ANSWER_SECONDS_MAX:g} seconds"
        except NoStream as error:
            trouble = f"does not answer: {error}"
        except (OSError, ValueError, RecursionError) as error:
            trouble = f"its answer broke off, or is none: {error}"
        return known | {"up": False, "trouble": trouble}

    async def _heard(self, host: str) -> Word:
        reader, writer = await self._streams.open(host, self._purpose)
        with contextlib.closing(writer):
            answer = bytearray()
            while part := await reader.read(ANSWER_OCTETS_MAX):
                answer += part
                if len(answer) > self._octets_max:
                    raise ValueError(f"more than {self._octets_max} octets")
            word = json.loads(answer)
            if not isinstance(word, dict) or not isinstance(word.get("serial"), int):
                raise ValueError("not a host's word")
            return word

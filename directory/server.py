"""The embedded authoritative DNS server: UDP and TCP on one port, transfers, NOTIFY in and out.

Law: no packet, whatever it holds, ends it or makes it grow; what cannot be answered in kind is answered shortly or not
at all. It answers from the zone it was last given, and SERVFAIL before the first.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from directory import wire
from directory.answers import Answers
from directory.notify import Notifier
from directory.rate import RateLimit
from directory.reception import Later, Reception, Rights
from directory.sockets import bound_pair
from directory.tsig import Key

log = logging.getLogger(__name__)

DATAGRAMS_PER_TURN = 64  # answered before the loop sees to others: under a millisecond
DATAGRAM_OCTETS_MAX = 4_096  # no question is longer; the rest is cut off and then malformed
LATER_MAX = 16  # updates over UDP that wait for their answers; others are dropped, and come again
CONNECTIONS_MAX = 256  # at once; each costs 20 KB
CONNECTIONS_PER_SOURCE_MAX = 32
IDLE_SECONDS_MAX = 10.0  # RFC 7766 6.2.3: of the order of a few seconds
DRAIN_SECONDS_MAX = 30.0  # for one message of a transfer to a slow reader


class DnsServer:
    """Serves one zone at one address."""

    def __init__(
        self,
        address: str,
        port: int,
        rights: Rights,
        limit: RateLimit,
        notify_key: Key | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.address, self.port = address, port
        self.notifier = Notifier(self._send, key=notify_key, clock=clock)
        self._reception, self._limit = Reception(rights, clock), limit
        self._udp: socket.socket | None = None
        self._tcp: asyncio.Server | None = None
        self._sources: dict[str, int] = {}  # open TCP connections
        self._conversations: set[asyncio.Task[None]] = set()
        self._later: set[asyncio.Task[None]] = set()

    def serve(self, answers: Answers) -> None:
        """Answer from this zone from now on."""
        self._reception.show(answers)

    async def start(self) -> None:
        """Listen. Port 0 becomes a free port, the same for both."""
        self._udp, stream = bound_pair(self.address, self.port)
        self.port = self._udp.getsockname()[1]
        self._tcp = await asyncio.start_server(self._converse, sock=stream)
        asyncio.get_running_loop().add_reader(self._udp, self._readable)

    async def stop(self) -> None:
        if self._udp:
            asyncio.get_running_loop().remove_reader(self._udp)
            self._udp.close()
        if self._tcp:
            self._tcp.close()
        self._udp = self._tcp = None
        tasks = [*self._conversations, *self._later]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- UDP

    def _readable(self) -> None:
        """Answer what has arrived. One call, many datagrams: asyncio's own transport wakes up for each."""
        assert self._udp is not None
        for _ in range(DATAGRAMS_PER_TURN):
            try:
                packet, source = self._udp.recvfrom(DATAGRAM_OCTETS_MAX)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # an ICMP error of an earlier answer (Linux reports them here)
                continue
            try:
                reply = self._datagram(packet, source)
            except Exception:  # a surprise: one packet's, not the server's
                log.exception("dns: no answer to %d octets from %s", len(packet), source[0])
                continue
            if isinstance(reply, bytes):
                self._send(reply, source)
            elif reply is not None:
                self._promise(reply, source)

    def _promise(self, later: Later, source: tuple[str | int, ...]) -> None:
        """Answer when the answer is there."""

        async def answer() -> None:
            try:
                reply = await later
            except Exception:
                log.exception("dns: no answer to %s", source[0])
            else:
                self._send(reply or b"", source)

        task = asyncio.create_task(answer())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def _send(self, packet: bytes, to: tuple[str | int, ...]) -> None:
        if self._udp is not None:
            with suppress(OSError):  # full buffer, unreachable: UDP loses packets, clients ask again
                self._udp.sendto(packet, to)

    def _datagram(self, packet: bytes, source: tuple[str | int, ...]) -> bytes | Later | None:
        if len(packet) < wire.HEADER.size:
            return None
        if packet[2] & 0x80:
            self.notifier.answered(packet, str(source[0]))
            return None
        verdict = self._limit.judge(str(source[0]), time.monotonic())
        if verdict == "drop" or (packet[2] >> 3 & 15 == wire.UPDATE and len(self._later) >= LATER_MAX):
            return None
        return self._reception.datagram(packet, str(source[0]), verdict)

    # --- TCP (RFC 7766)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = str((writer.get_extra_info("peername") or ("?",))[0])
        task = asyncio.current_task()
        assert task is not None
        if len(self._conversations) >= CONNECTIONS_MAX or self._sources.get(source, 0) >= CONNECTIONS_PER_SOURCE_MAX:
            writer.close()
            return
        self._conversations.add(task)
        self._sources[source] = self._sources.get(source, 0) + 1
        try:
            await self._answer_stream(reader, writer, source)
        except (OSError, EOFError, TimeoutError, asyncio.CancelledError):
            pass  # gone, too slow, or `stop` (streams would log the cancellation of their own task as an error)
        except Exception:
            log.exception("dns: connection from %s ended", source)
        finally:
            self._conversations.discard(task)
            self._sources[source] -= 1
            if not self._sources[source]:
                del self._sources[source]
            writer.close()

    async def _answer_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, source: str) -> None:
        while True:
            async with asyncio.timeout(IDLE_SECONDS_MAX):
                length = int.from_bytes(await reader.readexactly(2), "big")
                query = await reader.readexactly(length)
            replies = self._reception.stream(query, source)
            if not isinstance(replies, Iterator):
                replies = iter((await replies or b"",))
            for reply in replies:
                writer.write(len(reply).to_bytes(2, "big") + reply)
                async with asyncio.timeout(DRAIN_SECONDS_MAX):
                    await writer.drain()
                await asyncio.sleep(0)  # drain returns at once while there is room; others want the loop too

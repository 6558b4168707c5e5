"""The resolver that the HTTP client asks: the system's, with every address checked.

Law: one name, one question, one answer; if any address of it is denied, all are. This file imports aiohttp: import it
late.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import Executor

from aiohttp.abc import AbstractResolver, ResolveResult

from ingest import guard
from ingest.guard import Lookup, system_lookup
from ingest.settings import Network

ADDRESSES_MAX = 8  # tried one after the other; a name may have thousands


class Resolver(AbstractResolver):
    """Resolve in `threads`, by `lookup`."""

    def __init__(self, threads: Executor, allow: tuple[Network, ...], lookup: Lookup = system_lookup) -> None:
        self._threads = threads
        self._allow = allow
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        infos = await asyncio.get_running_loop().run_in_executor(self._threads, self._lookup, host, port)
        guard.check(infos, port, self._allow)
        return [
            ResolveResult(
                hostname=host,
                host=str(info[4][0]),
                port=port,
                family=info[0],
                proto=info[2],
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for info in infos[:ADDRESSES_MAX]
        ]

    async def close(self) -> None:
        """Nothing is held."""

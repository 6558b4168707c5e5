"""The way to a mail server: its name looked up once, every address judged, TLS verified.

Law: as for feeds (guard.py): the address that was judged is the one that is connected to. A certificate that is not the
server's ends the attempt before anything is said.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from ingest import guard
from ingest.fetched import Failed
from ingest.guard import Lookup
from ingest.mailboxes.place import PORT
from ingest.mailboxes.wire import LINE_OCTETS_MAX, Wire
from ingest.settings import Network

PORTS = frozenset({PORT})  # of a public address; others lie in networks that the operator allowed
ADDRESSES_MAX = 4  # tried one after the other
CONNECT_SECONDS_MAX = 15.0  # of one address, with its TLS handshake
LOOKUP_SECONDS_MAX = 20.0


@dataclass(frozen=True, slots=True)
class Ways:
    """How servers are reached: looked up by `lookup` in `threads`, within public networks and those of `allow`."""

    lookup: Lookup
    threads: Executor
    allow: tuple[Network, ...]
    trust: ssl.SSLContext


async def connect(ways: Ways, host: str, port: int) -> Wire | Failed:
    """Connect; never raises for anything that the other side does."""
    try:
        infos = await _looked_up(ways, host, port)
    except guard.Denied:
        return Failed("its address points inside the operator's network, or its port is not that of IMAP")
    except socket.gaierror as error:
        known = error.errno != socket.EAI_NONAME
        return Failed("the server's name cannot be looked up now" if known else "there is no server of that name")
    except (OSError, UnicodeError, TimeoutError):
        return Failed("the server's name cannot be looked up now")
    failed = Failed("the server has no address")
    for info in infos[:ADDRESSES_MAX]:
        found = await _connected(ways, str(info[4][0]), port, host)
        if isinstance(found, Wire):
            return found
        failed = found
    return failed


async def _looked_up(ways: Ways, host: str, port: int) -> list[tuple[Any, ...]]:
    async with asyncio.timeout(LOOKUP_SECONDS_MAX):
        infos = await asyncio.get_running_loop().run_in_executor(ways.threads, ways.lookup, host, port)
    guard.check(infos, port, ways.allow, PORTS)
    return infos


async def _connected(ways: Ways, address: str, port: int, host: str) -> Wire | Failed:
    try:
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            ends = await asyncio.open_connection(
                address, port, ssl=ways.trust, server_hostname=host, limit=LINE_OCTETS_MAX
            )
    except ssl.SSLCertVerificationError as error:
        return Failed(f"the server's certificate is not valid: {error.verify_message}")
    except ssl.SSLError:
        return Failed("the server's encryption does not work")
    except TimeoutError:
        return Failed("the server did not answer in time")
    except OSError:
        return Failed("the server cannot be reached")
    return Wire(*ends)


def trusted(authorities: str) -> ssl.SSLContext:
    """Return what servers are believed by: the system's authorities, and those of a file of the operator's."""
    context = ssl.create_default_context()
    if authorities:
        context.load_verify_locations(authorities)
    return context

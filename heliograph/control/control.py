"""The control socket: how the command reaches a running host.

Law: JSON lines over a unix socket that only the host's user may open (mode 0600, in a folder of mode 0700). One line
asks, one line answers; an operation is named, never code. A host that is down has no socket that answers.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from heliograph import exits
from heliograph.acts import operations
from heliograph.acts.operations import Answer, Site
from heliograph.control.control_socket import FILE_NAME, socket_path
from heliograph.exits import CommandError
from store import Store, StoreFull

log = logging.getLogger("heliograph.control.control")

SHOWN_MAX = 200  # of what was not understood: enough to see, too little to fill a log
LINE_OCTETS_MAX = 4 << 20  # a batch of ROWS_MAX rows is some hundred kilobytes
CONNECTIONS_MAX = 16  # operators and scripts; the work is the one writer's anyway


class ControlServer:
    """Answers the command inside a running host."""

    def __init__(self, folder: Path, store: Store, site: Site, clock: Callable[[], float] = time.time) -> None:
        self._folder, self._store, self._site, self._clock = folder, store, site, clock
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. The caller holds the host's lock, so a socket file that is there is a dead one's."""
        listening = _listen(self._folder)
        self._server = await asyncio.start_unix_server(self._accept, sock=listening, limit=LINE_OCTETS_MAX)

    async def stop(self) -> None:
        """Stop listening and end open connections."""
        if self._server:
            self._server.close()
            (self._folder / FILE_NAME).unlink(missing_ok=True)
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if len(self._open) <= CONNECTIONS_MAX:
                await self._converse(reader, writer)
        except (OSError, ValueError, asyncio.CancelledError):  # gone; a line beyond the limit; the host ends
            pass  # asyncio would tell of a task that was cancelled as of a fault
        finally:
            self._open.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            answer = await self.answer(line)
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()

    async def answer(self, line: bytes) -> Answer:
        """Carry out one line; never raises for what it asks."""
        try:
            asked = json.loads(line)
            return {"ok": await self._perform(asked["do"], asked.get("with", {}))}
        except CommandError as error:
            return _error(error.code, str(error))
        except StoreFull as error:
            return _error(
                exits.TEMPFAIL, f"{self._site.host}: nothing can be stored now: {error}: mend that, then repeat"
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            shown = repr(error)[:SHOWN_MAX]
            log.warning("control: %s", shown)
            return _error(exits.USAGE, f"not understood: {shown}")
        except Exception as error:
            log.exception("control")
            return _error(exits.SOFTWARE, f"{self._site.host}: a fault of ours: {error!r}: see its log")

    async def _perform(self, name: str, arguments: dict[str, Any]) -> Answer:
        site, now = self._site, self._clock()
        if name in operations.WRITES:
            return await self._store.write(lambda tx: operations.WRITES[name](tx, site, now, **arguments))
        if name in operations.READS:
            return await self._store.read(lambda reader: operations.READS[name](reader, site, now, **arguments))
        if name in site.acts:
            return await site.acts[name](**arguments)
        raise CommandError(exits.USAGE, f"{name!r}: this host knows no such operation: is it of the same version?")


def _listen(folder: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with socket_path(folder) as path:
        Path(path).unlink(missing_ok=True)
        listening.bind(path)
        Path(path).chmod(0o600)
    return listening


def _error(code: int, message: str) -> Answer:
    return {"error": {"code": code, "message": message}}

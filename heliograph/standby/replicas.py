"""The replicas that this host keeps of others: `standby/OWNER/heliograph.db`, and what is to be put into it.

Law: what was acknowledged to an owner is in the file that is lent next. While a file is lent it does not change: what
comes meanwhile waits in the log beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

DATABASE = "heliograph.db"


class NoReplica(Exception):
    """There is none of this host, or none that is whole."""


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """`complete`: a whole database is here; `as_of`: when the newest commit held was made; `connected`: its owner
    streams now; `behind`: octets that the owner said it has committed and that are not held yet; `pages_done` of
    `pages`: of a first copy under way."""

    owner: str
    complete: bool
    as_of: float
    connected: bool = False
    behind: int = 0
    pages_done: int = 0
    pages: int = 0


class Replicas:
    """All replicas at this host."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pressed: list[Callable[[str], object]] = []

    def owners(self) -> list[str]:
        """Whose replicas are here, whole or not."""
        return sorted(found.name for found in self._folder.iterdir()) if self._folder.is_dir() else []

    def state(self, owner: str) -> ReplicaState | None:
        path = self._folder / owner / DATABASE
        return ReplicaState(owner, True, path.stat().st_mtime) if path.exists() else None

    @asynccontextmanager
    async def lend(self, owner: str, newest: bool = True) -> AsyncIterator[Path]:
        """Lend a database that stays as it is until it is given back; raise NoReplica.

        `newest`: it holds all that was acknowledged; others who have it lent are asked to give it back first
        (`on_pressure`). Else whoever comes while it is lent shares what the others have.
        """
        path = self._folder / owner / DATABASE
        if not path.exists():
            raise NoReplica(owner)
        yield path

    def on_pressure(self, callback: Callable[[str], object]) -> None:
        """Call this, on the loop, with an owner's name when whoever has its file lent is to give it back soon."""
        self._pressed.append(callback)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        """Serve a stream of purpose "replica": `peer` sends its pages."""
        raise ConnectionRefusedError("not yet")

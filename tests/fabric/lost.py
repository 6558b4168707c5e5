"""A town that loses hosts: copies of their databases as replicas, taken when the story says so, and an edited zone.

Law: what a replica holds is decided by the story, not by the pace of a stream; the rest is the real thing.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from directory.hosts import with_standby
from directory.losses import with_heir, without_loss
from heliograph.ownership.holding import OWNER
from heliograph.standby.replicas import NoReplica, ReplicaState
from heliograph.zone.file import draft
from store.copying import copy_database
from tests.fabric.test_move import MovingTown
from tests.fabric.town import until


@dataclass
class Copies:
    """What a host keeps of others, in place of `Replicas`."""

    folder: Path
    broken: set[str] = field(default_factory=set)

    def take(self, owner: str, database: Path) -> None:
        place = self.folder / owner
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        copy_database(database, place / "heliograph.db")

    def state(self, owner: str) -> ReplicaState | None:
        path = self.folder / owner / "heliograph.db"
        return ReplicaState(owner, owner not in self.broken, path.stat().st_mtime) if path.exists() else None

    @contextlib.asynccontextmanager
    async def lend(self, owner: str, newest: bool = True) -> AsyncIterator[Path]:
        path = self.folder / owner / "heliograph.db"
        if not path.exists():
            raise NoReplica(owner)
        yield path


class LosingTown(MovingTown):
    """Hosts of this town may be lost. Their heirs have what `replicate` copied last."""

    async def start(self, *names: str) -> None:
        await super().start(*names)
        for name in names or [host.name for host in self.config.hosts]:
            succession: Any = self.hosts[name].succession
            succession._replicas = self.copies(name)

    def copies(self, host: str) -> Copies:
        return Copies(self.config.root / f"copies-{host}")

    def database(self, host: str) -> Path:
        return self.config.host_folder(host) / "heliograph.db"

    def replicate(self, owner: str, standby: str) -> None:
        self.copies(standby).take(owner, self.database(owner))

    async def lose(self, host: str, *, disk: bool) -> None:
        """The host ends; with its disk, or so that it may come back."""
        await self.stop(host)
        if disk:
            for path in self.config.host_folder(host).glob("heliograph.db*"):
                path.unlink()

    async def name_standby(self, host: str, standby: str) -> None:
        await self._edit(lambda zone: with_standby(zone, host, standby))
        await until(lambda: all(at.directory.current.standbys.get(host) == standby for at in self.hosts.values()))

    async def promote(self, host: str, heir: str) -> None:
        await self._edit(lambda zone: with_heir(zone, host, heir))

    async def welcome(self, host: str) -> None:
        await self._edit(lambda zone: without_loss(zone, host))

    async def _edit(self, change: Any) -> None:
        draft(self.config, change).write()
        await self.hosts[self.config.primary].directory.reload()

    async def inherited(self, host: str, heir: str) -> None:
        """Wait until the heir has all that the host left."""

        def done() -> bool:
            at = self.hosts[heir]
            return at.directory.current.lost.get(host) == heir and host in at.succession.word()["inherited"]

        await until(done, lambda: str(self.hosts[heir].succession.word()))

    async def returned(self, host: str) -> None:
        """Wait until a lost host has nothing left to give."""

        def done() -> bool:
            at = self.hosts[host]
            return host in at.directory.current.lost and not at.succession.word()["returning"]

        await until(done, lambda: str(self.hosts[host].succession.word()))

    async def hurry(self) -> None:
        """Try deferred mail now."""
        for host in self.hosts.values():
            await host.store.write(lambda tx, host=host: host.queue.retry(tx, None, time.time()))

    def owners(self, entity: str, which: str = "timeline") -> list[str]:
        return [name for name in self.hosts if self.state(name, entity, which) == OWNER]

"""What polling needs of its surroundings.

Law: handed in once, at the start; nothing here is looked for.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass

from directory.names import FabricNames
from ingest.fetch import Fetcher
from ingest.pool import WorkerPool
from ingest.room import IngestRoom
from mail.envelope import Outgoing
from store import Store, Transaction

Spool = Callable[[Transaction, Outgoing], None]


@dataclass(frozen=True, slots=True)
class Tools:
    """The room, the database, the way out, the time, the web, the parsing processes, and chance."""

    room: IngestRoom
    store: Store
    spool: Spool
    clock: Callable[[], float]
    fetcher: Fetcher
    pool: WorkerPool
    chance: Callable[[], float] = random.random
    octets: Callable[[int], bytes] = os.urandom

    @property
    def names(self) -> FabricNames:
        return self.room.directory().names

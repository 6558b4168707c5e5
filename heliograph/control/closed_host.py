"""A host that is down, as the command works on it.

Law: the caller holds the host's lock. What an operation sends waits in the queue until the host runs again.
"""

from __future__ import annotations

import random
import time
from typing import Any

from directory.names import Name
from heliograph import exits
from heliograph.acts import operations
from heliograph.acts.operations import Answer, Site
from heliograph.configuration.settings import Config
from heliograph.database import open_database
from heliograph.exits import CommandError
from heliograph.flow import Flow, Rooms
from heliograph.identity import Identity
from heliograph.keys import read_key
from heliograph.ownership.ownership import claim
from heliograph.published import published_directory
from mail.envelope import Arrival, Receipt
from mail.outcome import Deferred
from spool.queue import Queue
from spool.runner_settings import Settings as RunnerSettings
from spool.settle import Settler
from store import StoreFull, Transaction


class ClosedRoom:
    """A room of a host that is down: mail for it waits in the queue until the host runs again."""

    def receive(self, tx: Transaction, arrival: Arrival, name: Name, /) -> Receipt:
        return Receipt(Deferred("4.3.2 the host is down"))


class ClosedHost:
    """A host that is down: operations run here, on its database. Hold its lock."""

    def __init__(self, config: Config, name: str) -> None:
        zone = published_directory(config)
        queue = Queue()
        me = Identity(name, read_key(config, name), config.ports.smtp, config.postmaster)
        self._store = open_database(config.host_folder(name))
        owned = self._store.write_now(lambda tx: claim(tx, name, zone))
        directory = owned.directory(zone)
        flow = Flow(me, lambda: directory, queue, Rooms(ClosedRoom(), ClosedRoom(), ClosedRoom()), owned)
        settler = Settler(queue, RunnerSettings(name, f"{name}.{config.domain}"), random.random)
        self._site = Site(
            name, lambda: directory, queue, flow.dispatch, settler, owns=owned.owns, owns_now=owned.owns_now
        )

    def ask(self, operation: str, **arguments: Any) -> Answer:
        site, now = self._site, time.time()
        try:
            if operation in operations.WRITES:
                return self._store.write_now(lambda tx: operations.WRITES[operation](tx, site, now, **arguments))
            return operations.READS[operation](self._store.reader, site, now, **arguments)
        except StoreFull as error:
            text = f"{site.host}: the disk is full: make room, then repeat ({error})"
            raise CommandError(exits.TEMPFAIL, text) from None

    def close(self) -> None:
        self._store.close()

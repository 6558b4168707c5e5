"""Where the command finds a host: at its control socket while it runs, in its folder while it does not.

Law: the host's lock decides. Only who holds it opens the database, so the command never works beside a running host.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from directory.names import Name
from heliograph import exits, operations
from heliograph.control import ControlClient, NotRunning
from heliograph.exits import CommandError
from heliograph.flow import Flow, Identity, Rooms
from heliograph.keys import read_key
from heliograph.lock import HostLock, Locked
from heliograph.operations import Answer, Site
from heliograph.published import published_directory
from heliograph.settings import Config
from heliograph.tables import MIGRATIONS
from mail.envelope import Arrival, Receipt
from mail.outcome import Deferred
from spool.queue import Queue
from store import Store, StoreFull, Transaction

DATABASE = "heliograph.db"
PATIENCE_SECONDS = 10.0  # a host that starts or stops holds its lock without answering; it takes a second or two
LOOK_AGAIN_SECONDS = 0.1


class Desk(Protocol):
    """A host that can be asked."""

    def ask(self, operation: str, **arguments: Any) -> Answer: ...


class ClosedRoom:
    """A room of a host that is down: mail for it waits in the queue until the host runs again."""

    def receive(self, tx: Transaction, arrival: Arrival, name: Name, /) -> Receipt:
        return Receipt(Deferred("4.3.2 the host is down"))


class ClosedHost:
    """A host that is down: operations run here, on its database. Hold its lock."""

    def __init__(self, config: Config, name: str) -> None:
        directory = published_directory(config)
        queue = Queue()
        me = Identity(name, read_key(config, name), config.ports.smtp, config.postmaster)
        flow = Flow(me, lambda: directory, queue, Rooms(ClosedRoom(), ClosedRoom(), ClosedRoom()))
        self._site = Site(name, lambda: directory, queue, flow.dispatch)
        self._store = Store(config.host_folder(name) / DATABASE, MIGRATIONS)

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


@contextmanager
def desk(config: Config, name: str) -> Iterator[Desk]:
    """Reach a host, running or not."""
    folder = config.host_folder(config.host(name).name)
    if not folder.is_dir():
        raise CommandError(exits.UNAVAILABLE, f"{name} is not on this machine ({folder}): run this where {name} runs")
    lock = HostLock(folder)
    found = _reach(config, name, lock)
    try:
        yield found
    finally:
        found.close()
        lock.release()


def hosts_here(config: Config, wanted: str | None = None) -> list[str]:
    """Return the hosts whose folders are on this machine, or the one that is wanted."""
    if wanted is not None:
        return [config.host(wanted).name]
    here = [host.name for host in config.hosts if config.host_folder(host.name).is_dir()]
    if not here:
        raise CommandError(exits.UNAVAILABLE, f"{config.root / 'hosts'}: no host of this fabric is on this machine")
    return here


def _reach(config: Config, name: str, lock: HostLock) -> ControlClient | ClosedHost:
    """Ask the running host, or take the place of one that is down; wait for one that is starting or stopping."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ControlClient(config.host_folder(name))
        except NotRunning:
            pass
        try:
            lock.take()
            return ClosedHost(config, name)
        except Locked as held:
            if time.monotonic() > give_up:
                raise CommandError(exits.TEMPFAIL, f"{held}, which does not answer: is it starting? Repeat") from None
            time.sleep(LOOK_AGAIN_SECONDS)

"""One running host: its store, its directory, its rooms and its doors, joined.

Law: nothing is accepted before everything that keeps a promise runs; closing goes the other way round: doors first,
then what works behind them, the store last.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from directory.service import DirectoryService
from directory.snapshot import Directory
from heliograph.acts.operations import Answer, Site, status
from heliograph.acts.zone_acts import zone_acts
from heliograph.configuration.dns import directory_settings
from heliograph.configuration.settings import Config
from heliograph.configuration.smarthost import access
from heliograph.control.control import ControlServer
from heliograph.database import open_database
from heliograph.door.applications import PURPOSE
from heliograph.door.clients import Clients
from heliograph.door.door import HostDoor
from heliograph.door.mail_doors import door_of, open_mail_doors
from heliograph.federation.joint import federated
from heliograph.health.counting_door import CountingDoor
from heliograph.health.measuring import Measuring, Places
from heliograph.health.neighbours import PURPOSE as STATUS
from heliograph.health.neighbours import Neighbours
from heliograph.health.pulse import Pulse
from heliograph.judging.joint import judged
from heliograph.lock import HostLock
from heliograph.moving.parties import nothing
from heliograph.other_hosts import OtherHosts
from heliograph.outside.joint import postmark
from heliograph.ownership.epochs import settle
from heliograph.ownership.ownership import claim
from heliograph.proof.joint import proving
from heliograph.rooms import HostRooms
from heliograph.rounds import Rounds
from heliograph.shelves.handing import handing_out, settle_shelves
from heliograph.standby.succession import hear_newest
from heliograph.tls import ClientTls
from heliograph.web import open_https, routes
from ingest.poller import Poller
from mailbox_host.upkeep import Upkeep
from spool.callout import Callout
from spool.runner import Runner
from spool.runner_settings import Settings as RunnerSettings

log = logging.getLogger("heliograph")


class Host:
    """A host of the fabric. It runs in the caller's event loop: several can, in one process, for tests."""

    def __init__(
        self,
        config: Config,
        name: str,
        clock: Callable[[], float] = time.time,
        moving_at: Callable[[str], Awaitable[None]] = nothing,
    ) -> None:
        self.config = config
        self.name = name
        self.hostname = f"{name}.{config.domain}"
        self.address = config.host(name).address
        self._clock = clock
        self._folder = config.host_folder(name)
        self._moving_at = moving_at
        self._zone_copy = self._folder / f"{config.domain}.zone"
        self._running = AsyncExitStack()
        self._serves = False  # nobody is signed in before there are sessions

    async def start(self) -> None:
        """Start everything; return when all doors are open. Raise Locked, NoZone, or OSError for a taken port, with
        nothing left running."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        log.info("%s is up at %s, zone serial %d", self.hostname, self.address, self.directory.current.serial)

    async def stop(self) -> None:
        """Close the doors, let what is in flight finish, close the store."""
        await self._running.aclose()

    def reload_certificates(self) -> None:
        """Read the certificates again; OSError: the last ones stay in use."""
        self._tls.reload()
        self.others.reload_certificate()

    async def _start(self) -> None:
        self._own_folder()
        await self._start_directory()
        self._make_rooms()
        self._running.push_async_callback(self.others.close)
        await self.others.settle()
        await self._start_workers()
        await self._open_doors()

    def _own_folder(self) -> None:
        self._running.callback(HostLock(self._folder).take().release)
        self.store = open_database(self._folder)
        self._running.callback(self.store.close)
        self._tls = ClientTls(self.config.tls.of(self.name))

    async def _start_directory(self) -> None:
        self.directory = DirectoryService(directory_settings(self.config, self.name, self._zone_copy), self._clock)
        await self.directory.start()
        self._running.push_async_callback(self.directory.stop)
        await hear_newest(self.directory, self.name)
        self.ownership = await self.store.write(lambda tx: claim(tx, self.name, self.directory.current))
        await self.store.write(lambda tx: settle(tx, self.ownership, self.directory.current, self._clock()))
        await settle_shelves(self.store, self.config.shelf_of(self.name))
        self.ownership.tell_unsettled(self.directory.current)
        self.directory.subscribe(self.ownership.tell_unsettled)

    def _zone(self) -> Directory:
        """The zone itself, as it is at this moment."""
        return self.directory.current

    def _make_rooms(self) -> None:
        self.rooms = rooms = HostRooms(self.config, self.name, self._zone, self.ownership, self._clock)
        self.bell, self.queue, self.flow, self.reflector = rooms.bell, rooms.queue, rooms.flow, rooms.reflector
        self.poller = Poller(self.store, rooms.spool, rooms.ingest, self._clock)
        self.others = others = OtherHosts(
            self.config,
            self.name,
            self.store,
            self.ownership,
            rooms,
            self.directory,
            self._turn_out,
            self._clock,
            self._moving_at,
        )
        self.streams, self.replicas, self.sender = others.streams, others.replicas, others.sender
        self.mover, self.succession = others.mover, others.succession

    async def _start_workers(self) -> None:
        settings = RunnerSettings(
            host=self.name,
            hostname=self.hostname,
            own_addresses=frozenset({self.address}),
            foreign_port=self.config.smtp.foreign_port,
            resolver=self.config.smtp.resolver,
            source_address=self.address,
            access=access(self.config.smtp),
        )
        stamp = postmark(self.config, self.name, lambda: self.directory.current)
        await self._running.enter_async_context(handing_out(self.rooms.hand_out(self.store)))
        self.runner = Runner(self.store, self.queue, self.flow, settings, self._clock, stamp=stamp)
        self._running.push_async_callback(self.runner.stop)
        await self.poller.start()
        self._running.push_async_callback(self.poller.stop)
        for room in (self.reflector, self.rooms.mailbox):
            rounds = Rounds(self.store, self.flow, room, self._clock)
            await rounds.start()
            self._running.push_async_callback(rounds.stop)
        upkeep = Upkeep(self.store, self.bell, self.config.mailboxes, self._clock, self.rooms.serves)
        await upkeep.start()
        self._running.push_async_callback(upkeep.stop)
        self.callout = Callout(settings, self.flow, self._clock)
        self._running.push_async_callback(self.callout.close)
        self.clients = Clients(
            self.config,
            self.name,
            self.rooms,
            self.ownership,
            self.store,
            self.streams,
            self.replicas,
            self._tls,
            self._clock,
        )
        self.imap = self.clients.imap
        self._serves = True
        await self._running.enter_async_context(self.clients.stand_ins.at_work(self.directory.subscribe))
        self.neighbours = Neighbours(self.name, self.rooms.now, self.streams, self._word)

    def _turn_out(self, accounts: frozenset[str]) -> None:
        if self._serves:
            self.imap.turn_out(accounts)

    async def _open_doors(self) -> None:
        """Every door of this host, at its own address, with the same ports as on every other host."""
        await self._open_streams()
        door = door_of(self.store, self.rooms, self.callout, self.clients, self._clock)
        judging = judged(self.config, door, self._clock)
        proof = proving(self.config, judging, self.flow, self.store, self.callout, self._clock)
        self.counting = CountingDoor(federated(self.config, proof, self.flow, self._clock))
        await open_mail_doors(self.config, self.name, self.counting, self._tls.context, self._running)
        for port, implicit in ((self.config.ports.imap, False), (self.config.ports.imaps, True)):
            if port:  # 0: another server has that door
                await self.imap.serve(self.address, port, implicit=implicit)
        await self._open_https(door)
        control = ControlServer(self._folder, self.store, self._site(), self._clock)
        await control.start()
        self._running.push_async_callback(control.stop)
        await self.mover.start()

    async def _open_streams(self) -> None:
        self._running.push_async_callback(self.imap.close)
        purposes = {
            "imap": self.imap.handle_stream,
            PURPOSE: self.clients.applications.handle_stream,
            STATUS: self.neighbours.handle_stream,
        }
        await self.others.serve(self.address, self.runner, purposes, self._running)
        if not self.succession.holds_mail:  # no sooner: by now the standby counts
            await self.runner.start()

    async def _open_https(self, door: HostDoor) -> None:
        measure = Measuring(Places(self.store, self._zone_copy, self._pulse().figures), self._clock)
        parts = self.store, self.rooms, self.clients, door, self.callout, self.poller.wake, measure, self._clock
        await open_https(self.config, self.name, routes(self.config, *parts), self._tls.context, self._running)

    def _site(self) -> Site:
        return Site(
            self.name,
            self.rooms.now,
            self.queue,
            self.flow.dispatch,
            self.runner.settler,
            lambda: self._pulse().told(),
            self.poller.wake,
            self.ownership.owns,
            self.ownership.owns_now,
            {
                "survey": self.neighbours.survey,
                **zone_acts(self.directory, self.config.zone_file),
                **self.others.acts,
            },
            self.reflector,
        )

    async def _word(self) -> Answer:
        """How this host is, for the others."""
        site, now = self._site(), self._clock()
        return await self.store.read(lambda reader: status(reader, site, now))

    def _pulse(self) -> Pulse:
        declined = self.counting.declined
        standing = self.others.standing(self.clients.stand_ins)
        return Pulse(self._folder, self.directory, self.ownership, self.imap, self.runner, standing, declined)

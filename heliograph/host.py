"""One running host: its store, its directory, its rooms and its doors, joined.

Law: nothing is accepted before everything that keeps a promise runs; closing goes the other way round: doors first,
then what works behind them, the store last.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

from directory.service import DirectoryService
from directory.snapshot import Directory
from gateway.server import HttpsServer
from gateway.settings import Settings as HttpsSettings
from gateway.websub import websub_routes
from heliograph.applications import PURPOSE
from heliograph.clients import Clients
from heliograph.control import ControlServer
from heliograph.database import open_database
from heliograph.dns import directory_settings
from heliograph.door import Doormen, HostDoor
from heliograph.epochs import is_unfinished, settle
from heliograph.federation.joint import federated
from heliograph.health.counting_door import CountingDoor
from heliograph.health.measuring import Measuring, Places
from heliograph.health.neighbours import PURPOSE as STATUS
from heliograph.health.neighbours import Neighbours
from heliograph.health.pulse import Pulse
from heliograph.health.standing import Standing
from heliograph.judging.joint import judged
from heliograph.keys import TOKEN_KEY, read_key
from heliograph.lock import HostLock
from heliograph.mail_doors import open_mail_doors
from heliograph.moving.acts import move_acts
from heliograph.moving.cargo import Cargo, Reflectors, Timelines
from heliograph.moving.frames import PURPOSE as MOVE
from heliograph.moving.inquiry import PURPOSE as HOLDERS
from heliograph.moving.mover import Mover
from heliograph.moving.parties import Party, nothing
from heliograph.one_click import OneClick
from heliograph.operations import Answer, Site, status
from heliograph.outside import click_routes, postmark
from heliograph.ownership import claim
from heliograph.publishing import HttpPublisher
from heliograph.rooms import HostRooms
from heliograph.rounds import Rounds
from heliograph.settings import Config
from heliograph.shelves.handing import handing_out, settle_shelves
from heliograph.smarthost import access
from heliograph.standby.receiver import Receiver
from heliograph.standby.replicas import Replicas
from heliograph.standby.sender import Sender
from heliograph.standby.solitude import noting_solitude
from heliograph.standby.succession import INHERITED, Succession, hear_newest, keep_key
from heliograph.standby.words import PURPOSE as REPLICA
from heliograph.streams import Streams
from heliograph.tls import ClientTls, between_hosts
from heliograph.web import routes
from heliograph.zone_acts import zone_acts
from ingest.hub import HubDesk
from ingest.poller import Poller
from mailbox_host.upkeep import Upkeep
from spool.callout import Callout
from spool.runner import Runner
from spool.runner_settings import Settings as RunnerSettings

log = logging.getLogger("heliograph")

BUCKETS_SHOWN_MAX = 10  # in a line of the log


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
        """Read the operator's certificate again; OSError: the last one stays in use."""
        self._tls.reload()

    async def _start(self) -> None:
        self._own_folder()
        await self._start_directory()
        self._make_rooms()
        self._make_standby()
        await self._settle_succession()
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
        self._tell_unsettled(self.directory.current)
        self.directory.subscribe(self._tell_unsettled)

    def _tell_unsettled(self, directory: Directory) -> None:
        away, towards = self.ownership.unsettled(directory)
        if away:
            log.warning("the zone gives away what is still served here: %s", _some(away))
        if towards:
            log.warning(
                "the zone gives this host what was not handed over to it; mail for it waits: %s", _some(towards)
            )

    def _zone(self) -> Directory:
        """The zone itself, as it is at this moment."""
        return self.directory.current

    def _make_rooms(self) -> None:
        self.rooms = rooms = HostRooms(self.config, self.name, self._zone, self.ownership, self._clock)
        self.bell, self.queue, self.flow, self.reflector = rooms.bell, rooms.queue, rooms.flow, rooms.reflector
        self.poller = Poller(self.store, rooms.spool, rooms.ingest, self._clock)

    def _make_standby(self) -> None:
        """The standby of this host, and the replicas of others. It counts from the first door on: what is written while
        a host starts must not wait for another one, which may be waiting for this one."""
        server, client = between_hosts(self.config.tls.of(self.name))
        self.streams = Streams(self.rooms.now, server, client, self.config.ports.streams)
        self.replicas = Replicas(self._folder / "standby")
        self._running.push_async_callback(self.replicas.close)
        self.sender = Sender(self.name, self.store, self.streams, self._zone, self.config.standby_mode, self._clock)
        self._running.push_async_callback(self.sender.stop)

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
        if not self.succession.holds_mail:
            await self.runner.start()
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

    async def _settle_succession(self) -> None:
        """Before anything is at work: who was given up owns nothing."""
        key = read_key(self.config, self.name, TOKEN_KEY)
        reader = self.store.reader
        cargo: dict[str, Cargo] = {"timeline": Timelines(reader), "reflectors": Reflectors(reader, key)}
        party = Party(
            self.name,
            self.store,
            self.ownership,
            self.queue,
            self._zone,
            cargo,
            self._turn_out,
            self._clock,
            self._moving_at,
            lambda *asked: self.succession.holds_back(*asked),
            lambda: self.succession.may_return(),
        )
        self.mover = Mover(party, self.streams, self.directory.subscribe)
        folder = self._folder / INHERITED
        self.succession = Succession(party, self.mover, self.streams, self.replicas, self.directory.subscribe, folder)
        await self.store.write(partial(keep_key, key))
        await self.succession.settle()

        if is_unfinished(self.store.reader):  # back from a backup: what of it is still this host's?
            await self.mover.inquiry.after_restore()

    def _turn_out(self, accounts: frozenset[str]) -> None:
        if self._serves:
            self.imap.turn_out(accounts)

    async def _open_doors(self) -> None:
        """Every door of this host, at its own address, with the same ports as on every other host."""
        await self._open_streams()
        door = self._door()
        self.counting = CountingDoor(
            federated(self.config, judged(self.config, door, self._clock), self.flow, self._clock)
        )
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
        self._running.push_async_callback(self.streams.close)
        self._running.push_async_callback(self.mover.stop)
        await self.succession.start(self.runner)
        self._running.push_async_callback(self.succession.stop)
        purposes = {
            "imap": self.imap.handle_stream,
            PURPOSE: self.clients.applications.handle_stream,
            STATUS: self.neighbours.handle_stream,
        }
        receiver = Receiver(self.replicas, lambda owner: self._zone().standbys.get(owner) == self.name)
        between = {
            MOVE: self.mover.taker.handle,
            HOLDERS: self.mover.inquiry.handle,
            REPLICA: receiver.handle,
            **self.succession.purposes(),
        }
        await self.sender.start(self.directory.subscribe)  # here, for nothing may be acknowledged before
        await self._running.enter_async_context(noting_solitude(self.store, self.sender.is_alone))
        await self.streams.serve(self.address, purposes, between)

    def _door(self) -> HostDoor:
        clients = self.clients
        doormen = Doormen(
            self.rooms.knows,
            self.rooms.is_full,
            self.reflector.refuses,
            self.callout,
            clients.login.check,
            clients.applications.check,
            clients.applications.wait,
            self.rooms.shelf,
        )
        return HostDoor(self.store, self.flow, self.queue, doormen, self._clock)

    async def _open_https(self, door: HostDoor) -> None:
        octets_max = self.config.smtp.message_octets_max
        applications = self.clients.applications
        publisher = HttpPublisher(applications, door, lambda: self.rooms.now().names, octets_max, self._clock)
        measure = Measuring(Places(self.store, self._zone_copy, self._pulse().figures), self._clock)
        table = routes(self.rooms.now, publisher, measure, self.config.metrics_networks)
        click = OneClick(self.flow, self.store, self.rooms.knows, self.callout.ask, self.rooms.now, self._clock)
        hubs = websub_routes(HubDesk(self.store, self.poller.wake, self._clock))
        https = HttpsServer((*table, *click_routes(click), *hubs), HttpsSettings(), self._tls.context)
        self._running.push_async_callback(https.close)
        await https.serve(self.address, self.config.ports.https)

    def _site(self) -> Site:
        return Site(
            self.name,
            self.rooms.now,
            self.queue,
            self.flow.dispatch,
            self.runner.settler,
            self._told,
            self.poller.wake,
            self.ownership.owns,
            self.ownership.owns_now,
            {
                "survey": self.neighbours.survey,
                **zone_acts(self.directory, self.config.zone_file),
                **move_acts(self.mover),
            },
            self.reflector,
        )

    def _told(self) -> Answer:
        return self._pulse().told() | {"succession": self.succession.word()}

    async def _word(self) -> Answer:
        """How this host is, for the others."""
        site, now = self._site(), self._clock()
        return await self.store.read(lambda reader: status(reader, site, now))

    def _pulse(self) -> Pulse:
        declined = self.counting.declined
        standing = Standing(self.sender, self.replicas, self.clients.stand_ins, self.mover, self._clock)
        return Pulse(self._folder, self.directory, self.ownership, self.imap, self.runner, standing, declined)


def _some(buckets: list[str]) -> str:
    shown = ", ".join(buckets[:BUCKETS_SHOWN_MAX])
    return shown if len(buckets) <= BUCKETS_SHOWN_MAX else f"{shown} and {len(buckets) - BUCKETS_SHOWN_MAX} more"

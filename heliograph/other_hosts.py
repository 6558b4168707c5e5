"""What this host and the others have to do with each other: buckets that move, a standby, heirs, the IMAP proxy.

Law: all of it goes over streams between hosts that have proven who they are. Whoever was given up learns it before
anything here is at work; nothing is acknowledged before the standby counts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial

from directory.service import DirectoryService
from heliograph.configuration.settings import Config
from heliograph.health.neighbours import Neighbours
from heliograph.health.standing import Standing
from heliograph.keys import TOKEN_KEY, read_key
from heliograph.moving.acts import move_acts
from heliograph.moving.cargo import Cargo, Reflectors, Timelines
from heliograph.moving.frames import PURPOSE as MOVE
from heliograph.moving.inquiry import PURPOSE as HOLDERS
from heliograph.moving.mover import Mover
from heliograph.moving.parties import Party
from heliograph.ownership.epochs import is_unfinished
from heliograph.ownership.ownership import Ownership
from heliograph.rooms import HostRooms
from heliograph.shelves.taking_off import take_off_shelf
from heliograph.site import Act
from heliograph.standby.receiver import Receiver
from heliograph.standby.replicas import Replicas
from heliograph.standby.sender import Sender
from heliograph.standby.solitude import noting_solitude
from heliograph.standby.stand_ins import StandIns
from heliograph.standby.succession import INHERITED, Succession, keep_key
from heliograph.standby.taking_again import PURPOSE as AGAIN
from heliograph.standby.taking_again import TakingAgain
from heliograph.standby.words import PURPOSE as REPLICA
from heliograph.streams import Serve, Streams
from heliograph.tls import between_hosts, reload_between
from spool.runner import Runner
from store import Store

BUCKETS = "buckets"
BUCKETS_OCTETS_MAX = 4 << 20  # where all of 4,096 buckets in two maps have moved, some 130 octets each are 1 MB


class OtherHosts:
    """`streams`: to and from them; `replicas`: of those that this host stands by for; `sender`: to its own standby;
    `mover`: of buckets; `succession`: of hosts that were given up; `acts`: what the command may ask for of all that."""

    def __init__(
        self,
        config: Config,
        name: str,
        store: Store,
        ownership: Ownership,
        rooms: HostRooms,
        directory: DirectoryService,
        turn_out: Callable[[frozenset[str]], None],
        clock: Callable[[], float],
        at: Callable[[str], Awaitable[None]],
    ) -> None:
        self._name, self._store, self._directory, self._clock = name, store, directory, clock
        folder = config.host_folder(name)
        self._key = key = read_key(config, name, TOKEN_KEY)
        paths = config.tls.of(name)
        contexts = between_hosts(paths)
        self.reload_certificate = partial(reload_between, paths, contexts)
        self.streams = Streams(rooms.now, *contexts, config.ports.streams)
        self.replicas = Replicas(folder / "standby")
        self.sender = Sender(name, store, self.streams, lambda: directory.current, config.standby_mode, clock)
        reader = store.reader
        cargo: dict[str, Cargo] = {"timeline": Timelines(reader), "reflectors": Reflectors(reader, key)}
        party = Party(
            name,
            store,
            ownership,
            rooms.queue,
            lambda: directory.current,
            cargo,
            turn_out,
            clock,
            at,
            lambda *asked: self.succession.holds_back(*asked),
            lambda: self.succession.may_return(),
        )
        self.mover = Mover(party, self.streams, directory.subscribe)
        acts = move_acts(self.mover)
        self._buckets = Neighbours(
            name, lambda: directory.current, self.streams, acts["bucket state"], BUCKETS, BUCKETS_OCTETS_MAX
        )
        self.acts: Mapping[str, Act] = {**acts, "bucket survey": self._buckets.survey}
        self.succession = Succession(
            party, self.mover, self.streams, self.replicas, directory.subscribe, folder / INHERITED
        )

    async def settle(self) -> None:
        """Before all else: who was given up owns nothing, who is back from a backup asks what it still has."""
        await self._store.write(partial(keep_key, self._key))
        await self.succession.settle()
        if not self.succession.holds_mail:  # or its heir may have that mail
            await take_off_shelf(self._store, self._clock)
        if is_unfinished(self._store.reader):
            await self.mover.inquiry.after_restore()

    async def close(self) -> None:
        """After everything that writes has ended."""
        await self.sender.stop()
        await self.replicas.close()

    async def serve(self, address: str, runner: Runner, purposes: Mapping[str, Serve], running: AsyncExitStack) -> None:
        """Open the door for streams; `purposes`: of clients that come through another host."""
        running.push_async_callback(self.streams.close)
        running.push_async_callback(self.mover.stop)
        await self.succession.start(runner)
        running.push_async_callback(self.succession.stop)
        # Here, and no sooner: what is written while a host starts must not wait for another one, which may be waiting
        # for this one. Nor later: from the first door on mail is acknowledged.
        await self.sender.start(self._directory.subscribe)
        await running.enter_async_context(noting_solitude(self._store, self.sender.is_alone))
        again = TakingAgain(self.streams, self.sender.refuses, self.sender.refusals, self._others, runner.hurry)
        await running.enter_async_context(again.at_work())
        await self.streams.serve(address, purposes, self._between(again))

    def standing(self, stand_ins: StandIns) -> Standing:
        """What there is to say of it, for `status` and the figures."""
        return Standing(self.sender, self.replicas, stand_ins, self.mover, self.succession, self._clock)

    def _stands_by_for(self, owner: str) -> bool:
        return self._directory.current.standbys.get(owner) == self._name

    def _others(self) -> list[str]:
        zone = self._directory.current
        return [host for host in zone.hosts if host != self._name and host not in zone.lost]

    def _between(self, again: TakingAgain) -> dict[str, Serve]:
        receiver = Receiver(self.replicas, self._stands_by_for, self._clock)
        return {
            MOVE: self.mover.taker.handle,
            HOLDERS: self.mover.inquiry.handle,
            REPLICA: receiver.handle,
            AGAIN: again.handle,
            BUCKETS: self._buckets.handle_stream,
            **self.succession.purposes(),
        }

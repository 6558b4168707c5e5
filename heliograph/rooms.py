"""The rooms of one host, the queue between them, and what the doors ask of them all.

Law: made of the configuration, the zone and what the host owns; nothing runs here, and nothing is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from directory.names import Follow, Leaf, Name, Reflector, Timeline
from directory.snapshot import Directory
from heliograph.configuration.settings import Config
from heliograph.flow import Flow, Rooms
from heliograph.identity import Identity
from heliograph.keys import TOKEN_KEY, read_key
from heliograph.ownership.ownership import Ownership
from heliograph.shelves.handing import HandingOut
from heliograph.shelves.place import shelf_address
from ingest.news_room import NewsRoom
from ingest.room import IngestRoom
from ingest.settings import Settings as IngestSettings
from mail.envelope import Outgoing
from mailbox_host import leaves
from mailbox_host.bell import Bell
from mailbox_host.outward_room import OutwardRoom
from mailbox_host.room import MailboxRoom
from reflector.room import ReflectorRoom
from spool.queue import Queue
from spool.route import Shelf
from store import Reader, Store, Transaction


class HostRooms:
    """`zone`: the zone itself; `now`: the same, corrected by what was handed over."""

    def __init__(
        self, config: Config, name: str, zone: Callable[[], Directory], ownership: Ownership, clock: Callable[[], float]
    ) -> None:
        self._zone, self._ownership, self._clock = zone, ownership, clock
        self.bell = Bell()
        self._shelf = config.shelf_of(name)
        self.mailbox = self._mailbox_room(config, name)
        token_key = read_key(config, name, TOKEN_KEY)
        self.reflector = ReflectorRoom(name, self.now, token_key, config.reflectors, leaves.count, self.serves)
        self.ingest = IngestRoom(name, self.now, _feeds(config, name, token_key))
        self.news = NewsRoom(self.now, token_key)
        self.queue = Queue()
        rooms = Rooms(self.reflector, self.mailbox, self.ingest, self.news)
        self.flow = Flow(_identity(config, name), self.now, self.queue, rooms, ownership)

    def _mailbox_room(self, config: Config, name: str) -> MailboxRoom:
        if not self._shelf:
            return MailboxRoom(name, self.now, self.bell, config.mailboxes)
        return OutwardRoom(name, self.now, self.bell, config.mailboxes, partial(shelf_address, config.domain))

    def hand_out(self, store: Store) -> HandingOut | None:
        """What hands posts out where another server keeps the mailboxes."""
        if not isinstance(self.mailbox, OutwardRoom):
            return None
        work = HandingOut(store, self.queue, self.mailbox.shelf, self._clock, self._shelf)
        self.mailbox.wake = work.wake
        return work

    def shelf(self, name: Name) -> Shelf | None:
        """Where a mailbox of this host is, if another server keeps it and may be asked about it."""
        if not self._shelf or not isinstance(name, Timeline) or self.news.claims(name):
            return None
        return Shelf(self._shelf, self.now().names.person(name.entity))

    def now(self) -> Directory:
        """The zone of this moment, with what hand-overs have told this host."""
        return self._ownership.directory(self._zone())

    def spool(self, tx: Transaction, outgoing: Outgoing) -> None:
        """Send a room's mail."""
        self.flow.dispatch(tx, outgoing, self._clock())

    def serves(self, tx: Reader | Transaction, account: str) -> bool:
        """Tell whether an account is this host's to serve, as the database has it."""
        names = self._zone().names
        return self._ownership.owns_now(tx, Timeline(account, "", names.bucket(account)))

    def knows(self, reader: Reader, name: Name) -> bool:
        """Tell whether a name of this host exists."""
        match name:
            case Timeline() if self.news.claims(name):
                return self.news.knows(reader, name)
            case Timeline():
                return self.mailbox.knows(reader, name)
            case Reflector():
                return self.reflector.knows(reader, name)
            case Leaf() | Follow():
                return True  # a leaf that nobody here follows takes mail and keeps nothing
        return False

    def is_full(self, reader: Reader, name: Timeline) -> bool:
        """Tell whether a mailbox takes no letter now, or a newsletter's address none today."""
        if self.news.claims(name):
            return self.news.is_full(reader, name, self._clock())
        return self.mailbox.is_full(reader, name)


def _feeds(config: Config, host: str, key: bytes) -> IngestSettings:
    return IngestSettings(
        allow_networks=config.feeds.allow_networks,
        poll_seconds_min=config.feeds.poll_seconds_min,
        poll_seconds_max=config.feeds.poll_seconds_max,
        octets_max=config.feeds.octets_max,
        push_url=config.feeds.push_url.replace("{host}", host),
        key=key,
        mailbox_authorities=config.feeds.mailbox_authorities,
        mailbox_octets_max=min(config.smtp.message_octets_max, IngestSettings().mailbox_octets_max),
    )


def _identity(config: Config, host: str) -> Identity:
    return Identity(
        host=host,
        key=read_key(config, host),
        smtp_port=config.ports.smtp,
        postmaster=config.postmaster,
        smarthost=config.smtp.smarthost,
        relays=tuple(config.smtp.relays.items()),
        shelf=config.shelf_of(host),
    )

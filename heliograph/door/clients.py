"""Those who come with a name and a password: over IMAP, submission, streams of other hosts, HTTPS.

Law: made once for all doors, so that who guesses at one of them waits at every other. Nothing is opened here.
"""

from __future__ import annotations

from collections.abc import Callable

from heliograph.configuration.settings import Config
from heliograph.door.applications import Applications
from heliograph.door.login import Login
from heliograph.ownership.ownership import Ownership
from heliograph.rooms import HostRooms
from heliograph.standby.replicas import Replicas
from heliograph.standby.stand_ins import StandIns
from heliograph.streams import Streams
from heliograph.tls import ClientTls
from mailbox_host.imap.server import ImapServer
from mailbox_host.imap.settings import Settings as ImapSettings
from mailbox_host.imap.throttle import Throttle
from mailbox_host.passwords import PasswordChecker
from store import Store


class Clients:
    """`login`: of people; `applications`: of programs; `imap`: the mailboxes' server; `stand_ins`: what it shows of
    hosts that are away."""

    def __init__(
        self,
        config: Config,
        name: str,
        rooms: HostRooms,
        ownership: Ownership,
        store: Store,
        streams: Streams,
        replicas: Replicas,
        tls: ClientTls,
        clock: Callable[[], float],
    ) -> None:
        checker, throttle = PasswordChecker(), Throttle()
        self.login = Login(ownership, store, rooms.now, streams, checker, throttle, clock)
        self.applications = Applications(ownership.owns, store, rooms.now, streams, throttle, clock)
        self.stand_ins = StandIns(name, replicas, rooms.now, self.login.open_imap)
        self.imap = ImapServer(
            store,
            rooms.bell,
            checker,
            _imap_settings(config, name),
            locate=self.login.locate,
            open_stream=self.login.open_imap,
            tls=tls.context,
            clock=clock,
            throttle=throttle,
            serves=rooms.serves,
            borrow=self.stand_ins.borrow,
        )
        self.stand_ins.sessions = self.imap


def _imap_settings(config: Config, name: str) -> ImapSettings:
    return ImapSettings(
        config.domain,
        f"{name}.{config.domain}",
        message_octets_max=config.smtp.message_octets_max,
        quota=config.mailboxes.quota,
    )

"""The outbound half's limits, each with its reason.

Law: everything that could grow has a number here; nothing reads a configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from spool.peer import Access
from spool.schedule import FABRIC, FOREIGN, Schedule


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a peer may take, in seconds (RFC 5321 4.5.3.2)."""

    connect: float = 30.0  # RFC 5321 is silent; a host that needs longer is away
    greeting: float = 300.0
    command: float = 300.0  # EHLO, MAIL, RCPT; a pipelined group may take `group` while replies keep coming
    group: float = 1_800.0
    data: float = 120.0
    block: float = 180.0
    message: float = 3_600.0  # all its blocks: a large one is held in memory, and others wait for its place
    dot: float = 600.0  # the peer commits now: whoever leaves early sends everything twice
    quit: float = 5.0  # nothing depends on it


@dataclass(frozen=True, slots=True)
class Settings:
    """`host` is this host's name in the fabric, `hostname` its name in DNS (EHLO, Reporting-MTA)."""

    host: str
    hostname: str
    own_addresses: frozenset[str] = frozenset()  # an MX that points here is a loop
    foreign_port: int = 25
    resolver: str = ""  # "ip:port"; "" for the system's
    source_address: str = ""  # connect from this address; "" lets the kernel choose
    starttls: bool = True  # opportunistic, unverified (RFC 7435)
    access: Mapping[str, Access] = field(
        default_factory=lambda: MappingProxyType({})
    )  # relay "host:port" -> its wishes
    daemon: str = ""  # From of a DSN; "" for mailer-daemon@hostname
    fabric: Schedule = FABRIC
    foreign: Schedule = FOREIGN
    timeouts: Timeouts = field(default_factory=Timeouts)

    fabric_recipients_max: int = 1_000  # of one transaction; our own servers take that many
    foreign_recipients_max: int = 50  # as Postfix: more is what spammers do
    concurrency_start: int = 5  # transactions to one destination at once: begin politely ...
    concurrency_max: int = 20  # ... and with each success one more, as Postfix
    connections_max: int = 200  # to foreign hosts, all destinations together: file descriptors
    idle_seconds: float = 10.0  # how long an open connection waits for more mail
    failures_max: int = 3  # failures in a row before the breaker opens

    fresh_rows_max: int = 50_000  # held in memory: about 30 MB
    retry_rows_max: int = 10_000  # the slow lane's
    destination_share: float = 0.4  # of either, for one destination: the others' mail needs room
    load_rows: int = 1_000  # read at once: about 2 ms of the loop's time
    here_rows: int = 100  # in one step: bounds what one failed commit repeats
    here_steps: int = 4  # steps submitted at once, for one group commit
    ledger_rows_max: int = 20_000  # results waiting for their commit; then sending pauses
    full_seconds: float = 1.0  # between tries to write while the disk is full
    sweep_seconds: float = 0.2  # between two looks at the deferred rows
    stop_seconds: float = 5.0  # for what is in flight when the host is told to stop

    cache_octets_max: int = 32 * 1024 * 1024  # messages ready for sending, so that a fan-out is prepared once
    large_octets: int = 256 * 1024  # read in a thread, not cached, `large_at_once` in memory
    large_at_once: int = 4  # for the fabric, and as many for elsewhere

    # asking the owner of an address, while a client waits for the answer to its RCPT
    ask_seconds: float = 2.0  # then its mail is taken and queued
    ask_yes_seconds: float = 300.0
    ask_no_seconds: float = 60.0  # the account may be made the next minute
    ask_idle_seconds: float = 30.0  # a kept connection makes a question one round trip
    ask_answers_max: int = 100_000  # remembered: about 20 MB; who asks for more names than that is harvesting
    ask_recipients_max: int = 100  # in one question
    ask_hosts_max: int = 1_000

    dsn_octets_max: int = 100 * 1024  # of the original that a DSN returns whole; beyond, its header

    @property
    def mailer_daemon(self) -> str:
        return self.daemon or f"mailer-daemon@{self.hostname}"

"""The limits of the doors, each with its reason.

Law: nothing that a stranger can make grow is without a limit here, and what exceeds one gets a clear 4xx or 5xx.
"""

from __future__ import annotations

from dataclasses import dataclass

COMMAND_OCTETS_MAX = 2048  # RFC 5321 4.5.3.1.4 asks 512, DSN and SMTPUTF8 add some 700; Postfix takes 2048 as well
LINE_OCTETS_MAX = 12_288  # RFC 4954 4: a line of AUTH; no other is longer
CHUNK_OCTETS = 262_144  # of unread input before a connection is paused: what a loop reads at most at once
ASKED_MAX = 100  # recipients of one connection that wait for another host's word at the same time
RECEIVED_FROM_HOSTS_MAX = (
    1_000  # hosts notice by themselves what comes again (heliograph/door/door.py), and bounce nothing
)
RECEIVED_MAX = 50  # RFC 5321 6.3 asks for at least 100 hops or a better test; no real path has 50, and ours has 3


@dataclass(frozen=True, slots=True)
class Settings:
    """What the doors of one host are told. `hostname` greets; `domain` is the one that <postmaster> belongs to."""

    hostname: str
    domain: str
    fronts: frozenset[str] = frozenset()  # addresses of the operator's servers that stand in front (XFORWARD)
    message_octets_max: int = 36_700_160  # 25 MiB of attachments in base64
    recipients_max: int = 1000  # RFC 5321 4.5.3.1.8 asks for 100; beyond 1000 a client just sends another transaction
    errors_max: int = 20  # 5xx replies since the last message; a harvester gets no further
    idle_commands_max: int = 100  # commands since the last message, without RCPT
    connections_max: int = 10_000  # about 25 KB each
    connections_per_address_max: int = 50  # loopback is exempt: proxies and the fabric's own hosts in tests
    octets_in_flight_max: int = 512 * 1024 * 1024  # of all messages being received: what memory can be made to hold
    idle_seconds_max: float = 300.0  # RFC 5321 4.5.3.2.7: at least 5 minutes
    command_seconds_max: float = 1800.0  # from one message to the next, however busy the client looks
    data_seconds_max: float = 3600.0  # the largest message over 10 KB/s
    handshake_seconds_max: float = 60.0
    close_seconds_max: float = 10.0  # to take the last reply, and for close() to let commits finish
    sign_in_failures_max: int = 5
    sign_in_delay_seconds: float = 2.0  # after a failure; with 5 tries a connection this slows guessing to a crawl

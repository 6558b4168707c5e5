"""What an operator can set of polling, and the limits that keep a hostile web outside.

Law: every limit has its reason beside it; nothing here is read from a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Settings:
    """Seconds and octets. A test or a demo sets short times; the operator seldom anything."""

    allow_networks: tuple[Network, ...] = ()  # inside the operator's network, and yet to be read from
    poll_seconds_min: float = 900.0  # politeness: nobody's feed is asked more often than every 15 minutes
    poll_seconds_max: float = 86_400.0  # a dead blog that wakes up is seen within a day
    octets_max: int = 5_000_000  # as sent and as unpacked; the largest real feeds are under 3 MB
    fetch_seconds_max: float = 30.0  # one feed, with all its redirects
    silence_seconds_max: float = 10.0  # connecting, and between two reads
    octets_per_second_min: int = 500  # after `silence_seconds_max`: slower is a trap, not a line
    fetches_max: int = 32  # at once, on this host; each may hold `octets_max` twice
    workers_max: int = 2  # parsing processes: as many as a small host has cores
    parse_seconds_max: int = 5  # of CPU, for one document; real feeds take 0.02
    retry_seconds: float = 60.0  # a request whose site does not answer: 1, 4, 16 minutes, then its sender is told
    retries_max: int = 3
    key: bytes = bytes(32)  # a secret of this host, with which passwords of mailboxes elsewhere are sealed
    mailbox_authorities: str = ""  # a file of certificates, believed beside the system's: of a mail server inside
    mailbox_octets_max: int = 26_214_400  # of one message from there: eight at once are held in memory
    mailbox_seconds_min: float = 300.0  # between two looks into a mailbox that cannot tell of news by itself
    mailbox_seconds_max: float = 3_600.0
    push_url: str = ""  # where hubs reach this host over HTTPS; "": they are not asked
    backlog: int = 3  # of a new feed's items, how many are posted; a follower gets as many of the newest posts

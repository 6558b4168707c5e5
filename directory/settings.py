"""What a host's directory service is told when it is made.

Law: values; whoever makes them has read the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from directory.notify import Target
from directory.tsig import Key


@dataclass(frozen=True, slots=True)
class Settings:
    """`live` makes this host the primary: the operator's file. A secondary has `primary_address` instead."""

    domain: str
    buckets: int
    address: str  # this host's own; it serves DNS there, and speaks to the others from there
    port: int
    copy: Path  # where the last good zone is kept
    live: Path | None = None
    primary_address: str = ""
    primary_port: int = 0  # 0: the same as `port`
    primary_is_foreign: bool = False  # BIND, Knot or NSD: no host takes its place by itself
    keys: Mapping[bytes, Key] = field(default_factory=dict)  # TSIG; whoever signs with one may transfer
    transfer_key: bytes = b""  # what this host signs with; transfers and NOTIFY must then be signed
    update_keys: frozenset[bytes] = frozenset()  # whoever signs with one of these may change the zone
    transfer_to: tuple[str, ...] = ()  # networks that may transfer the zone, besides the fabric's hosts
    notify_to: tuple[Target, ...] = ()  # secondaries to notify, besides the fabric's hosts
    poll_seconds: float = 0.25  # two equal looks make a finished edit: seen within 0.5 s
    first_zone_seconds: float = 60.0  # how long `start` waits for a primary, where there is no copy
    answers_per_second: float = 200.0  # per /24 or /48 over UDP: a busy resolver's worth; 0: no limit
    answers_burst: float = 1_000.0

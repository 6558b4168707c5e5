"""The limits of the HTTPS door, each with its reason.

Law: nothing that a stranger can make grow is without a limit here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What the door is told."""

    connections_max: int = 2_000  # some 40 KB each with TLS; mail clients ask once in their life
    connections_per_address_max: int = 50  # loopback is exempt: a proxy in front, and tests
    line_octets_max: int = 4_096  # the request's line; our longest path with a token has some 200
    field_octets_max: int = 8_190  # one header field: what the common servers take
    fields_max: int = 64
    answer_seconds_max: float = 30.0  # the body's arrival and the handler together: clients give up after as long
    idle_seconds_max: float = 20.0  # for the header to be complete, and between requests
    handshake_seconds_max: float = 20.0
    close_seconds_max: float = 5.0  # for what is being answered when the host stops

"""Who a host is, for what routes mail and signs it.

Law: values only, read from the configuration once (rooms.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this host is: its name, its Ed25519 seed, the SMTP port of the fabric's hosts, the operator's entity, where
    foreign mail goes ("" for the MX of its domain): a smarthost, or a relay per domain, as "host:port"; and the LMTP
    server that keeps its mailboxes ("": it does so itself)."""

    host: str
    key: bytes
    smtp_port: int
    postmaster: str = ""
    smarthost: str = ""
    relays: tuple[tuple[str, str], ...] = ()
    shelf: str = ""

"""Where a connection of ours goes, and what is known of the other end before a word is said.

Law: a password is never shown: not in a log line, not in what a debugger prints of a peer.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Login:
    """How we sign in at an operator's relay (RFC 4954)."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """What an operator's relay demands. `strict`: TLS, with a certificate for its name."""

    login: Login | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """Where to connect to. `address`: an IP address, or the path of a Unix socket. `name`: the MX's name, or the fabric
    host's (for its proof), or "" for a bare address. `strict`: only under TLS with a certificate for that name (RFC
    8461). `lmtp`: it speaks LMTP (RFC 2033). `login`: it wants us to sign in."""

    address: str
    port: int
    name: str = ""
    in_fabric: bool = False
    strict: bool = False
    lmtp: bool = False
    login: Login | None = None

    @classmethod
    def shelf(cls, place: str) -> Peer:
        """The LMTP server at "host:port", or at a path."""
        if place.startswith("/"):
            return cls(place, 0, lmtp=True)
        host, _, port = place.rpartition(":")
        return cls(host.strip("[]"), int(port), lmtp=True)

    def __str__(self) -> str:
        if self.address.startswith("/"):
            return f"{self.name or 'host'}[{self.address}]"
        return f"{self.name or 'host'}[{self.address}]:{self.port}"

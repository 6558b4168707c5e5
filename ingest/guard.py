"""Which network addresses a feed may be fetched from.

Law: the question is asked of the address that is connected to, when it is connected to. What is not plainly public
is refused unless the operator allowed its network; so is every address that leads to one of another kind (mapped,
compatible, 6to4, Teredo, NAT64).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from ingest.settings import Network

Address = IPv4Address | IPv6Address

# A web server lives here; other ports are how a fetcher is made to speak to a mail server or a database.
PORTS = frozenset({80, 443, 8080, 8443})

# The special-purpose registries of IANA (RFC 6890), and multicast.
_DENIED: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
        "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 "
        "2001::/23 2001:db8::/32 2002::/16 3fff::/20"
    ).split()
)
# RFC 4291 2.4: all that was ever given out. Outside lie ::1, ::ffff:127.0.0.1, 64:ff9b::, fc00::, fe80::, ff00:: ...
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")


Lookup = Callable[[str, int], list[tuple[Any, ...]]]  # (host, port) -> what getaddrinfo says


class Denied(Exception):
    """The address is not one that a feed may be fetched from. (No OSError: nobody is to try again.)"""


def is_allowed(address: str, port: int, allow: Iterable[Network] = (), ports: frozenset[int] = PORTS) -> bool:
    """Tell whether an address, as the socket will see it, may be connected to. `ports`: at a public address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if any(found in network for network in allow):
        return True
    return port in ports and _is_public(found)


def check(infos: Iterable[tuple[Any, ...]], port: int, allow: Iterable[Network], ports: frozenset[int] = PORTS) -> None:
    """Raise Denied if any address of a resolver's answer is not allowed: who owns the name meant no good."""
    for info in infos:
        if not is_allowed(str(info[4][0]), port, allow, ports):
            raise Denied(str(info[4][0]))


def guarded_socket(info: Any, allow: Iterable[Network]) -> socket.socket:
    """Make the socket for one address: the last look, at what is really connected to."""
    family, kind, protocol, _, where = info
    if not is_allowed(str(where[0]), int(where[1]), allow):
        raise Denied(str(where[0]))
    return socket.socket(family, kind, protocol)


def system_lookup(host: str, port: int) -> list[tuple[Any, ...]]:
    """Ask the system's resolver; blocks."""
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def _is_public(address: Address) -> bool:
    if any(address in network for network in _DENIED if network.version == address.version):
        return False
    return address.version == 4 or address in _GLOBAL_V6

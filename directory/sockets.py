"""A UDP and a TCP socket on the same address and port.

Law: both or neither; port 0 means a port that is free for both.
"""

from __future__ import annotations

import socket

TRIES_MAX = 20  # for a port that is free for UDP and, by bad luck, not for TCP
RECEIVE_OCTETS = 2**20  # a burst of some 3,000 questions while the loop is busy elsewhere
BACKLOG = 256


def bound_pair(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Return (UDP socket, listening TCP socket), neither blocking; OSError if the port is taken."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for remaining in reversed(range(1 if port else TRIES_MAX)):
        udp = socket.socket(family, socket.SOCK_DGRAM)
        stream = socket.socket(family, socket.SOCK_STREAM)
        try:
            _prepare(udp, stream, address, port)
        except OSError:
            udp.close()
            stream.close()
            if not remaining:
                raise
        else:
            return udp, stream
    raise AssertionError("unreachable")


def _prepare(udp: socket.socket, stream: socket.socket, address: str, port: int) -> None:
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_OCTETS)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart does not wait for TIME_WAIT
    for each in (udp, stream):
        if each.family == socket.AF_INET6:
            each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        each.setblocking(False)
    udp.bind((address, port))
    stream.bind((address, udp.getsockname()[1]))
    stream.listen(BACKLOG)

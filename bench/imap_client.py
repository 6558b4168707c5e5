"""A client that costs next to nothing: sends a command, reads until it is answered, looks only at the end.

Law: what is measured is the server; any answer but OK ends the bench.
"""

from __future__ import annotations

import socket

READ_OCTETS = 1 << 20
ANSWER_SECONDS_MAX = 60.0
TAIL_OCTETS = 4000  # a tagged answer is shorter, capabilities and all


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS_MAX)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(READ_OCTETS)
        self._count = 0
        self._read_until(b"* OK")

    def __call__(self, command: bytes) -> int:
        """Run one command; return how many octets were answered."""
        self._count += 1
        tag = b"t%d" % self._count
        self._socket.sendall(tag + b" " + command + b"\r\n")
        return self._read_until(tag + b" OK")

    def close(self) -> None:
        self(b"LOGOUT")
        self._socket.close()

    def _read_until(self, wanted: bytes) -> int:
        total = 0
        tail = b""
        while True:
            count = self._socket.recv_into(self._buffer)
            if not count:
                raise ConnectionError(tail)
            total += count
            tail = (tail + self._buffer[max(0, count - TAIL_OCTETS) : count])[-TAIL_OCTETS:]
            if tail.endswith(b"\r\n"):
                last = tail[:-2].rpartition(b"\r\n")[2]
                if last.startswith(wanted):
                    return total
                if last.startswith((wanted[:-2] + b"NO", wanted[:-2] + b"BAD")):
                    raise ValueError(last)

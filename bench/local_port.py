"""A loopback port for a peer of the benches, and the wait until it answers."""

from __future__ import annotations

import socket
import time

START_SECONDS_MAX = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def await_greeting(port: int, word: bytes) -> None:
    """Wait for a server whose greeting begins with `word`."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                if connection.recv(1000).startswith(word):
                    return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)

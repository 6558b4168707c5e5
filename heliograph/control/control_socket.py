"""The command's end of the control socket.

Law: it needs nothing of what a host is made of: asking a running host is quick.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from heliograph import exits
from heliograph.exits import CommandError

FILE_NAME = "control.sock"
REPEAT = ": see `status`, then repeat"
ANSWER_SECONDS_MAX = 600.0  # removing a mailbox of a million messages takes its time


class NotRunning(Exception):
    """Nobody answers at the host's control socket."""


class ControlClient:
    """Asks a running host. Raises NotRunning where none answers."""

    def __init__(self, folder: Path, answer_seconds_max: float = ANSWER_SECONDS_MAX) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(answer_seconds_max)
        try:
            with socket_path(folder) as path:
                self._socket.connect(path)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            self._socket.close()
            raise NotRunning(str(folder)) from error
        except PermissionError as error:
            self._socket.close()
            raise CommandError(exits.NOPERM, f"{folder}: belongs to another user: run this as that user") from error
        except OSError as error:  # it stands still, and as many as may wait for it do
            self._socket.close()
            raise CommandError(exits.TEMPFAIL, f"{folder}: the host does not answer ({error}): see its log") from None
        self._lines = self._socket.makefile("rb")

    def ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Carry out an operation there."""
        try:
            self._socket.sendall(json.dumps({"do": operation, "with": arguments}).encode() + b"\n")
            line = self._lines.readline()
        except OSError as error:
            raise CommandError(exits.TEMPFAIL, f"the host did not answer ({error}){REPEAT}") from None
        if not line:
            raise CommandError(exits.TEMPFAIL, f"the host went away before it answered{REPEAT}")
        answer = json.loads(line)
        if "error" in answer:
            raise CommandError(answer["error"]["code"], answer["error"]["message"])
        result: dict[str, Any] = answer["ok"]
        return result

    def close(self) -> None:
        with suppress(OSError):
            self._lines.close()
            self._socket.close()


@contextmanager
def socket_path(folder: Path) -> Iterator[str]:
    """Name the socket through its folder's handle: a socket's address holds 107 octets, a path may be longer."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{FILE_NAME}"
    finally:
        os.close(handle)

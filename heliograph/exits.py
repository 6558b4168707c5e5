"""How a command ends: sysexits.h numbers, and an error that carries one.

Law: an error says what to do, in one or two lines, without a traceback.
"""

from __future__ import annotations

OK = 0
USAGE = 64  # the command was typed wrong
DATA = 65  # what was given is not of the right form
NOINPUT = 66  # a file to read is not there
NOUSER = 67  # no such account or entity
UNAVAILABLE = 69  # a host or a port is not available
SOFTWARE = 70  # a fault of ours
CANTCREAT = 73  # something is there already, or cannot be made
TEMPFAIL = 75  # try again later
NOPERM = 77  # not yours to read or write
CONFIG = 78  # the configuration is at fault


class CommandError(Exception):
    """What a command could not do; `code` is a sysexits number."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code

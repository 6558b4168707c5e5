"""Where a password comes from: a person at a terminal, or a file.

Law: a password is octets as they were typed, of any length over nothing; it is hashed in the command's own process and
never crosses the control socket, a log line or a command line.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from heliograph import exits
from heliograph.exits import CommandError
from mailbox_host.passwords import PASSWORD_OCTETS_MAX

FILE_OCTETS_MAX = PASSWORD_OCTETS_MAX + 2  # the longest password that is taken, and its line end


def new_password(name: str, password_file: str | None) -> bytes:
    """Get a new password for an account: from a file ("-": standard input), or asked for twice."""
    if password_file is not None:
        return _from_file(password_file)
    if not sys.stdin.isatty():
        raise CommandError(exits.USAGE, "no terminal to ask for a password at: use --password-file FILE (- for stdin)")
    text: str = click.prompt(f"Password for {name}", hide_input=True, confirmation_prompt="Once more", err=True)
    return _checked(text.encode(errors="surrogateescape"))


def _from_file(name: str) -> bytes:
    try:
        if name == "-":
            content = sys.stdin.buffer.read(FILE_OCTETS_MAX + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(FILE_OCTETS_MAX + 1)
    except OSError as error:
        raise CommandError(exits.NOINPUT, f"{name}: {error.strerror}: name a file that can be read") from None
    if len(content) > FILE_OCTETS_MAX:
        raise CommandError(exits.DATA, f"{name}: over {PASSWORD_OCTETS_MAX} octets: choose a shorter password")
    return _checked(content.removesuffix(b"\n").removesuffix(b"\r"))


def _checked(password: bytes) -> bytes:
    if not password:
        raise CommandError(exits.DATA, "the password is empty: nobody could be kept out")
    if len(password) > PASSWORD_OCTETS_MAX:
        raise CommandError(exits.DATA, f"the password is over {PASSWORD_OCTETS_MAX} octets: choose a shorter one")
    if b"\0" in password:  # RFC 4616 2: a PLAIN login cannot carry it
        raise CommandError(exits.DATA, "the password holds a NUL: no mail client could send it")
    return password

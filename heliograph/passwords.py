"""Where a password comes from: a person at a terminal, or a file.

Law: a password is octets as they were typed, of any length over nothing; it is hashed in the command's own process and
never crosses the control socket, a log line or a command line.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from heliograph import exits
from heliograph.exits import CommandError

FILE_OCTETS_MAX = 4096  # a passphrase is a line; a larger file is the wrong file

# What a hash may ask of us at each login: a hostile line must not make one login take a gigabyte or a minute.
MEMORY_KIB_MAX = 262_144
PASSES_MAX = 16
LANES_MAX = 16
_ARGON2ID = re.compile(
    r"\$argon2id\$v=19\$m=([0-9]{1,8}),t=([0-9]{1,4}),p=([0-9]{1,4})\$[A-Za-z0-9+/]{8,128}\$[A-Za-z0-9+/]{8,256}\Z"
)


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
        raise CommandError(exits.DATA, f"{name}: over {FILE_OCTETS_MAX} octets: this is no password")
    return _checked(content.removesuffix(b"\n").removesuffix(b"\r"))


def _checked(password: bytes) -> bytes:
    if not password:
        raise CommandError(exits.DATA, "the password is empty: nobody could be kept out")
    if b"\0" in password:  # RFC 4616 2: a PLAIN login cannot carry it
        raise CommandError(exits.DATA, "the password holds a NUL: no mail client could send it")
    return password


def checked_hash(text: str) -> str:
    """Check a hash from elsewhere, with Dovecot's ``{ARGON2ID}`` or without; ValueError says what is wrong."""
    hashed = text.removeprefix("{ARGON2ID}")
    match = _ARGON2ID.match(hashed)
    if not match:
        raise ValueError("the hash is not of the form $argon2id$v=19$m=..,t=..,p=..$salt$hash")
    memory, passes, lanes = (int(number) for number in match.groups())
    if not (8 <= memory <= MEMORY_KIB_MAX and 1 <= passes <= PASSES_MAX and 1 <= lanes <= LANES_MAX):
        raise ValueError(f"the hash asks for more than m={MEMORY_KIB_MAX},t={PASSES_MAX},p={LANES_MAX}")
    return hashed

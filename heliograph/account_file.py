"""Reading accounts in bulk: lines of ``name:hash`` as in Dovecot's passwd-file, or JSON lines.

Law: a file is read whole before anything is made of it; one bad line, and nothing is imported.

    alice:{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$...$...:::::
    {"name": "bob", "hash": "$argon2id$v=19$..."}
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from heliograph import exits
from heliograph.exits import CommandError
from mail.address import is_entity
from mailbox_host.passwords import import_hash

COMPLAINTS_MAX = 10  # a file of the wrong kind has as many faults as lines
LINE_CHARACTERS_MAX = 4096


def read_accounts(lines: Iterable[str], domain: str, source: str) -> list[tuple[str, str]]:
    """Return (name, hash) for every line; CommandError names the lines at fault."""
    rows: dict[str, str] = {}
    faults: list[str] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            name, hashed = _read_line(text, domain)
            if name in rows:
                raise ValueError(f"{name} stands there twice")
            rows[name] = hashed
        except ValueError as fault:
            faults.append(f"{source}, line {number}: {fault}")
            if len(faults) == COMPLAINTS_MAX:
                break
    if faults:
        raise CommandError(exits.DATA, "\n".join([*faults, "nothing was imported: correct the file, then repeat"]))
    return list(rows.items())


def _read_line(text: str, domain: str) -> tuple[str, str]:
    if len(text) > LINE_CHARACTERS_MAX:
        raise ValueError(f"over {LINE_CHARACTERS_MAX} characters")
    login, hashed = _from_json(text) if text.startswith("{") else _from_fields(text)
    name = login.removesuffix(f"@{domain}")
    if not is_entity(name):
        raise ValueError(f"{name[:60]!r} is no name for an account of {domain}")
    return name, import_hash(hashed)


def _from_json(text: str) -> tuple[str, str]:
    try:
        row = json.loads(text)
        name, hashed = row["name"], row["hash"]
    except (ValueError, KeyError, RecursionError):
        raise ValueError('is no object with "name" and "hash"') from None
    if not (isinstance(name, str) and isinstance(hashed, str)):
        raise ValueError('"name" and "hash" must be texts')
    return name, hashed


def _from_fields(text: str) -> tuple[str, str]:
    name, colon, rest = text.partition(":")
    if not colon:
        raise ValueError("is not of the form name:hash")
    return name, rest.partition(":")[0]

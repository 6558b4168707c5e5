"""The way out through somebody's relay (``smarthost`` in ``[smtp]``): who we are there, and how it must prove itself.

Law: a password lies in a file that nobody else may read, and is said under verified TLS only, or to this very machine.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

from heliograph.configuration.settings import SmtpSettings
from heliograph.toml_table import ConfigError, Table
from mail.loopback import is_loopback
from spool.peer import Access, Login

OFFERED, REQUIRED = "offered", "required"
PASSWORD_OCTETS_MAX = 1_024  # a line of a file, not a file


def read_access(table: Table, root: Path) -> dict[str, Any]:
    """Read what stands beside ``smarthost``."""
    user, path = table.take("smarthost_user", str, ""), table.take("smarthost_password_file", str, "")
    tls = table.take("smarthost_tls", str, OFFERED)
    if bool(user) != bool(path):
        raise table.error(
            "smarthost_user" if user else "smarthost_password_file",
            "stands alone",
            "name both, smarthost_user and smarthost_password_file, or neither",
        )
    if tls not in (OFFERED, REQUIRED):
        raise table.error("smarthost_tls", f"is {tls!r}", f'write "{OFFERED}" or "{REQUIRED}"')
    password = root / path if path else None
    return {"smarthost_user": user, "smarthost_password": password, "smarthost_strict": tls == REQUIRED}


def access(settings: SmtpSettings) -> MappingProxyType[str, Access]:
    """What the spool is told; ConfigError where the password cannot be had."""
    if not settings.smarthost:
        return MappingProxyType({})
    login = Login(settings.smarthost_user, _read(settings.smarthost_password)) if settings.smarthost_password else None
    near = is_loopback(settings.smarthost.rpartition(":")[0].strip("[]"))
    return MappingProxyType({settings.smarthost: Access(login, settings.smarthost_strict or bool(login and not near))})


def _read(path: Path) -> str:
    try:
        mode, text = path.stat().st_mode, path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the smarthost's password cannot be read: {error}") from None
    if mode & 0o077:
        raise ConfigError(f"{path}: others may read the smarthost's password: chmod 600 {path}")
    password = text.removesuffix("\n")
    if not password or "\n" in password or len(text) > PASSWORD_OCTETS_MAX:
        raise ConfigError(f"{path}: is not a password on one line")
    return password

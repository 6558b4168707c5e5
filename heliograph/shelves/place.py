"""The configuration's ``mailbox = "lmtp:..."``, and the addresses under which the queue knows such mailboxes.

Law: those addresses mean something in the queue alone. They are such that nothing that is read as an address can be one
(``lmtp:alice+News@D``), or a stranger's return path would lead past the rooms. A folder that LMTP cannot name is left
out, and what was meant for it goes to INBOX.
"""

from __future__ import annotations

import re

from heliograph.toml_table import Table
from mail.address import LOCAL_OCTETS_MAX
from mailbox_host.folder_names import INBOX
from spool.route import SHELF, Shelf

_PLACE = re.compile(r"lmtp:(?:unix:)?((?:/[^\s/]+)+|(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5})\Z")
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_QUOTABLE = re.compile(r"[ !#-\[\]-~]+\Z")


def read_place(table: Table) -> str:
    """Read ``mailbox``: "host:port", or a path; "" where the mailboxes are ours."""
    value = table.take("mailbox", str, "")
    match = _PLACE.match(value)
    if value and not match:
        raise table.error("mailbox", f"is {value!r}", 'write "lmtp:host:port" or "lmtp:/run/dovecot/lmtp"')
    return match[1] if match else ""


def shelf_address(domain: str, account: str, folder: str) -> str:
    """Name a mailbox for the queue: the folder goes as an address extension."""
    local = account if folder == INBOX else f"{account}+{folder}"
    if not _ATOM.match(local):
        local = f'"{local}"' if _QUOTABLE.match(local) else account
    if len(local.encode()) > LOCAL_OCTETS_MAX or "=?" in local:
        local = account
    return f"{SHELF}{local}@{domain}"


def read_shelf_address(address: str) -> tuple[str, str]:
    """Return account and folder. No account has a "+" or a quote in its name."""
    local = address.removeprefix(SHELF).rpartition("@")[0].removeprefix('"').removesuffix('"')
    account, _, folder = local.partition("+")
    return account, folder or INBOX


def shelf_of(address: str, place: str) -> Shelf | None:
    """Read such an address: RCPT TO says ``alice+News@D``."""
    return Shelf(place, address.removeprefix(SHELF)) if address.startswith(SHELF) else None

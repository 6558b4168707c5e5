"""GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208).

Law: an account has one quota root, "", and all its mailboxes are under it; one without limits has none. Limits are the
operator's to set.
"""

from __future__ import annotations

from mailbox_host import folders, quota
from mailbox_host.imap.commands import Command, OnMailbox, QuotaRoot
from mailbox_host.imap.effects import Steps, read
from mailbox_host.imap.responses import mailbox, no, ok, untagged
from mailbox_host.imap.session import Session
from mailbox_host.quota import Usage

CAPABILITY = b"QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE"
ROOT = b'""'
STORAGE_OCTETS = 1024  # RFC 9208 5.1: STORAGE counts in units of it


def get_quota(session: Session, command: Command) -> Steps[bytes]:
    assert isinstance(command.arguments, QuotaRoot)
    found = yield from _usage(session)
    if command.arguments.name or not _resources(found):
        return no("There is no such quota root", "NONEXISTENT")
    yield _quota(found)
    return ok("Done")


def get_quota_root(session: Session, command: Command) -> Steps[bytes]:
    assert isinstance(command.arguments, OnMailbox)
    account, name = session.account, command.arguments.mailbox
    folder = yield from read(lambda reader: folders.find_folder(reader, account, name))
    if folder is None:
        return no("No such mailbox", "NONEXISTENT")
    found = yield from _usage(session)
    limited = bool(_resources(found))
    yield untagged(b"QUOTAROOT " + mailbox(folder.name, session.utf8) + (b" " + ROOT if limited else b""))
    if limited:
        yield _quota(found)
    return ok("Done")


def set_quota(session: Session, command: Command) -> Steps[bytes]:
    yield b""
    return no("The operator sets limits", "NOPERM")


def _usage(session: Session) -> Steps[Usage]:
    account, limits = session.account, session.settings.quota
    found = yield from read(lambda reader: quota.usage(reader, account, limits))
    return found


def _quota(found: Usage) -> bytes:
    return untagged(b"QUOTA " + ROOT + b" (" + b" ".join(_resources(found)) + b")")


def _resources(found: Usage) -> list[bytes]:
    """What is limited: how much there is, and how much there may be."""
    resources = []
    if found.octets_max:
        used = -(-found.octets // STORAGE_OCTETS)
        resources.append(b"STORAGE %d %d" % (used, found.octets_max // STORAGE_OCTETS))
    if found.messages_max:
        resources.append(b"MESSAGE %d %d" % (found.messages, found.messages_max))
    return resources

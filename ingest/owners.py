"""Somebody is gone: her programs post no more, her mailboxes elsewhere are read no more, at whichever host.

Law: every host is told, by mail. What is on its way between two hosts at that moment belongs to neither: the word
follows it to its bucket, and waits there until it has arrived.
"""

from __future__ import annotations

import json

from directory.names import FabricNames
from directory.snapshot import Directory
from ingest import applications
from ingest.carrying import APP, IMAP
from ingest.mailboxes import rows
from ingest.passing_on import request_mail
from mail.envelope import Outgoing
from mail.feed_control import OwnerGone
from store import Transaction

_TABLES = {APP: "application", IMAP: "far_mailbox"}


def is_gone_everywhere(tx: Transaction, directory: Directory, here: str, owner: str) -> list[Outgoing]:
    """Forget what posts in somebody's name here, and write to each other host that serves any lists."""
    names = directory.names
    hosts = {directory.owner("reflectors", bucket): bucket for bucket in range(names.buckets)}
    others = [_word(names, bucket, owner) for host, bucket in sorted(hosts.items()) if host != here]
    return is_gone(tx, names, owner) + others


def is_gone(tx: Transaction, names: FabricNames, owner: str) -> list[Outgoing]:
    """Forget all that posts in somebody's name here."""
    applications.revoke_all(tx, owner)
    rows.remove_all(tx, owner)
    return [_word(names, bucket, owner) for bucket in sorted(_on_their_way(tx, names, owner))]


def _on_their_way(tx: Transaction, names: FabricNames, owner: str) -> set[int]:
    found = set()
    for kind, table in _TABLES.items():
        for unit, content in tx.all("SELECT unit, content FROM packed WHERE unit GLOB ? || '*'", (kind,)):
            if any(row["owner"] == owner for row in json.loads(content).get(table, ())):
                found.add(names.bucket(unit.removeprefix(kind)))
    return found


def _word(names: FabricNames, bucket: int, owner: str) -> Outgoing:
    return request_mail(names, bucket, "Somebody is gone", [OwnerGone(owner)], asked_by="")

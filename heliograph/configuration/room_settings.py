"""What the configuration says of the rooms: ``[feeds]``, ``[mailboxes]``, ``[reflectors]``.

Law: rooms are told the settings that are theirs, as values; what is wrong is named here.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from types import MappingProxyType
from typing import Any

from heliograph.configuration.settings import FeedSettings, Network
from heliograph.configuration.sizes import NONE, read_size
from heliograph.shelves.place import read_place
from heliograph.toml_table import Table
from mailbox_host.quota import Quota
from mailbox_host.settings import LOG_DAYS, LOG_DAYS_MIN
from mailbox_host.settings import Settings as MailboxSettings
from reflector.settings import Settings as ReflectorSettings
from reflector.tree import FANOUT_LIMIT

DAYS_MAX = 36_500
MESSAGES_MAX = 1 << 31  # of an account: as many UIDs as half a folder has

_PUSH_URL = re.compile(r"https://(?:\{host\}|[A-Za-z0-9.:-]){1,200}(?:/[A-Za-z0-9._~/-]{0,200})?\Z")


def read_feeds(top: Table, root: Path) -> FeedSettings:
    table = top.table("feeds")
    authorities = table.take("mailbox_authorities", str, "")
    settings = FeedSettings(
        allow_networks=read_networks(top, "feed_allow_networks"),
        poll_seconds_min=table.number("poll_seconds_min", 1, 86_400, FeedSettings().poll_seconds_min),
        poll_seconds_max=table.number("poll_seconds_max", 60, 2_592_000, FeedSettings().poll_seconds_max),
        octets_max=table.number("octets_max", 65_536, 1 << 28, FeedSettings().octets_max),
        push_url=table.take("push_url", str, ""),
        mailbox_authorities=str(root / authorities) if authorities else "",
    )
    table.done()
    if settings.mailbox_authorities and not Path(settings.mailbox_authorities).is_file():
        raise table.error("mailbox_authorities", f"is no file: {authorities!r}", "name a file of certificates in PEM")
    if settings.push_url and not _PUSH_URL.match(settings.push_url):
        raise table.error("push_url", f"is {settings.push_url!r}", 'write it as "https://{host}.example.com"')
    if settings.poll_seconds_min > settings.poll_seconds_max:
        raise table.error("poll_seconds_min", "is above poll_seconds_max", "lower it")
    return settings


def read_mailboxes(table: Table) -> dict[str, Any]:
    uses = (("trash_days", "\\Trash"), ("junk_days", "\\Junk"))
    settings = MailboxSettings(
        quota=Quota(_size(table, "quota"), table.number("quota_messages", 0, MESSAGES_MAX, 0)),
        log_days=table.number("retention_days", LOG_DAYS_MIN, DAYS_MAX, LOG_DAYS),
        days=MappingProxyType({use: table.number(key, 0, DAYS_MAX, 0) for key, use in uses}),
    )
    shelf = read_place(table)
    table.done()
    return {"mailboxes": settings, "shelf": shelf}


def read_reflectors(table: Table) -> ReflectorSettings:
    default = ReflectorSettings()
    settings = ReflectorSettings(
        leaf_threshold=table.number("leaf_threshold", 1, default.subscribers_max, default.leaf_threshold),
        split_threshold=table.number("split_threshold", 4, default.subscribers_max, default.split_threshold),
        fanout_max=table.number("fanout_max", 2, FANOUT_LIMIT, default.fanout_max),
        mirror_grace_seconds=table.number("mirror_grace_seconds", 0, 2_592_000, default.mirror_grace_seconds),
    )
    table.done()
    return settings


def read_networks(table: Table, key: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(text) for text in table.take(key, list, []))
    except ValueError as error:
        raise table.error(key, str(error), 'write networks like "10.1.0.0/16"') from None


def _size(table: Table, key: str) -> int:
    try:
        return read_size(table.take(key, str, NONE))
    except ValueError as wrong:
        raise table.error(key, "is wrong", str(wrong)) from None

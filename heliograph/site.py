"""The host that an operation of the command works on.

Law: it is the same to an operation whether the host runs or is down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from directory.names import Name, Reflector, Timeline
from directory.snapshot import Directory
from heliograph import exits
from heliograph.exits import CommandError
from heliograph.location import NAMES_RULE
from mail.address import is_entity
from mail.envelope import Outgoing
from mailbox_host import accounts
from reflector.room import ReflectorRoom
from spool.queue import Queue
from spool.settle import Settler
from store import Reader, Transaction

ROWS_MAX = 1000  # rows in one answer or one batch: some hundred kilobytes, some milliseconds of the writer

Dispatch = Callable[[Transaction, Outgoing, float], None]
Answer = dict[str, Any]
Source = Reader | Transaction
Act = Callable[..., Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Site:
    """The host that an operation works on. `dispatch` sends a room's mail; `settler` takes queued mail back; `live`
    tells what only a running host knows (nothing while it is down); `poll` makes it look which feeds are due; `owns`
    tells what was really handed over to the host; `owns_now` the same in a transaction; `acts`:
    what only a running host does, and not to its database; `trees`: the room of lists, None while the host is
    down."""

    host: str
    directory: Callable[[], Directory]
    queue: Queue
    dispatch: Dispatch
    settler: Settler
    live: Callable[[], Answer] = dict
    poll: Callable[[], object] = lambda: None
    owns: Callable[[Name], bool] = lambda name: True
    owns_now: Callable[[Source, Name], bool] = lambda tx, name: True
    acts: Mapping[str, Act] = field(default_factory=dict)
    trees: ReflectorRoom | None = None


def check_source_here(site: Site, name: str) -> None:
    """Where a source's reflector is, there is what feeds it."""
    if not is_entity(name):
        raise CommandError(exits.DATA, f"{name!r}: is no name for a source: {NAMES_RULE}")
    bucket = site.directory().names.bucket(name)
    if not site.owns(Reflector(name, "", bucket)):
        owner = site.directory().owner("reflectors", bucket)
        raise CommandError(exits.UNAVAILABLE, f"{name} belongs to {owner}, not to {site.host}: do it at {owner}")


def check_account(tx: Source, site: Site, name: str) -> None:
    if not accounts.exists(tx, name):
        raise CommandError(exits.NOUSER, f"{name}: has no account at {site.host}: see `account list`")
    bucket = site.directory().names.bucket(name)
    if not site.owns_now(tx, Timeline(name, "", bucket)):
        raise CommandError(exits.TEMPFAIL, f"{name}: b{bucket}.timeline is on its way from or to another host: repeat")

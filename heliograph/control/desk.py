"""Where the command finds a host: at its control socket while it runs, in its folder while it does not.

Law: the host's lock decides. Only who holds it opens the database, so the command never works beside a running host.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from heliograph import exits
from heliograph.configuration.settings import Config
from heliograph.control.control_socket import ANSWER_SECONDS_MAX, ControlClient, NotRunning
from heliograph.exits import CommandError
from heliograph.lock import HostLock, Locked

PATIENCE_SECONDS = 10.0  # a host that starts or stops holds its lock without answering; it takes a second or two
LOOK_AGAIN_SECONDS = 0.1
PAGE_SECONDS_MAX = 30.0  # of a list: read in milliseconds, unless the host stands still
SURVEY_SECONDS_MAX = 15.0  # the host that is asked waits three for others, and asks up to 256 in four rounds


class Desk(Protocol):
    """A host that can be asked."""

    def ask(self, operation: str, **arguments: Any) -> dict[str, Any]: ...

    def close(self) -> None: ...


@contextmanager
def desk(config: Config, name: str, answer_seconds_max: float = ANSWER_SECONDS_MAX) -> Iterator[Desk]:
    """Reach a host, running or not."""
    folder = config.host_folder(config.host(name).name)
    if not folder.is_dir():
        raise CommandError(exits.UNAVAILABLE, f"{name} is not on this machine ({folder}): run this where {name} runs")
    lock = HostLock(folder)
    try:
        found = _reach(config, name, lock, answer_seconds_max)
        try:
            yield found
        finally:
            found.close()
    except sqlite3.DatabaseError as error:
        raise _told(error, folder) from error
    finally:
        lock.release()


def _told(error: sqlite3.DatabaseError, folder: Path) -> Exception:
    from heliograph.database import told  # all of a host's tables: only where something is wrong with them

    return told(error, folder)


def hosts_here(config: Config, wanted: str | None = None) -> list[str]:
    """Return the hosts whose folders are on this machine, or the one that is wanted."""
    if wanted is not None:
        return [config.host(wanted).name]
    here = [host.name for host in config.hosts if config.host_folder(host.name).is_dir()]
    if not here:
        raise CommandError(exits.UNAVAILABLE, f"{config.root / 'hosts'}: no host of this fabric is on this machine")
    return here


def survey(config: Config, operation: str = "survey") -> list[dict[str, Any]]:
    """Return what all hosts say of themselves, or of what the operation asks for, through the first of this machine
    that answers: one that is frozen may be the very one that is asked about."""
    for here in hosts_here(config):
        try:
            with closing(ControlClient(config.host_folder(here), SURVEY_SECONDS_MAX)) as client:
                words: list[dict[str, Any]] = client.ask(operation)["hosts"]
        except NotRunning:
            continue
        except CommandError as error:
            if error.code != exits.TEMPFAIL:
                raise
            continue
        return words
    return []


def _reach(config: Config, name: str, lock: HostLock, answer_seconds_max: float) -> Desk:
    """Ask the running host, or take the place of one that is down; wait for one that is starting or stopping."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ControlClient(config.host_folder(name), answer_seconds_max)
        except NotRunning:
            pass
        try:
            lock.take()
            return _closed(config, name)
        except Locked as held:
            if time.monotonic() > give_up:
                raise CommandError(exits.TEMPFAIL, f"{held}, which does not answer: is it starting? Repeat") from None
            time.sleep(LOOK_AGAIN_SECONDS)


def _closed(config: Config, name: str) -> Desk:
    from heliograph.control.closed_host import ClosedHost  # all of a host's packages: only where they are needed

    return ClosedHost(config, name)


def every_row(config: Config, operation: str, rows: str, key: str, wanted: str | None = None) -> list[dict[str, Any]]:
    """Ask all hosts of this machine, or the one that is wanted, for a list that they tell in pages (`_pages`). Each row
    says its host."""
    found: list[dict[str, Any]] = []
    for name in hosts_here(config, wanted):
        try:
            with desk(config, name, PAGE_SECONDS_MAX) as host:
                found += [{"host": name, **row} for row in _pages(host, operation, rows, key)]
        except CommandError as error:  # a list that lacks a host's part would be taken for the whole
            if error.code != exits.TEMPFAIL:
                raise
            raise CommandError(error.code, f"{name}: {error}") from None
    return found


def _pages(host: Desk, operation: str, rows: str, key: str) -> Iterator[dict[str, Any]]:
    """`rows` in an answer, each an object or nothing but its `key`. What asks for the next page is the answer's `next`,
    or, where there only is `more`, the last row's `key`."""
    after, more = "", True
    while more:
        page = host.ask(operation, after=after)
        told = [row if isinstance(row, dict) else {key: row} for row in page[rows]]
        yield from told
        after = page["next"] if "next" in page else told[-1][key] if page["more"] else ""
        more = bool(after)

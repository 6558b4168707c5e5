"""Accounts in bulk: imported, sorted by the host that owns them, in batches; counted anew, in pages.

Law: whether every row can be imported is known before the first is; a batch is one transaction, and repeating an
interrupted import adds what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from heliograph import exits
from heliograph.acts.operations import Answer
from heliograph.configuration.settings import Config
from heliograph.control.desk import Desk, desk
from heliograph.exits import CommandError
from heliograph.published import published_directory

BATCH_ROWS = 250  # some 25 ms of a running host's only writer, beside its mail

Rows = Sequence[tuple[str, str]]


def import_rows(config: Config, rows: Rows) -> Answer:
    """Import (name, hash) rows at their owners."""
    by_host = _by_owner(config, rows)
    absent = [name for name in by_host if not config.host_folder(name).is_dir()]
    if absent:
        first = by_host[absent[0]][0][0]
        text = f"{first} and others belong to {', '.join(sorted(absent))}, not on this machine: import them there"
        raise CommandError(exits.UNAVAILABLE, text)
    total = {"added": 0, "present": 0}
    for name, part in by_host.items():
        with desk(config, name) as host:
            for batch in _batches(part):
                answer = host.ask("account import", rows=batch)
                total = {key: total[key] + answer[key] for key in total}
    return total | {"hosts": {name: len(part) for name, part in by_host.items()}}


def _by_owner(config: Config, rows: Rows) -> dict[str, list[tuple[str, str]]]:
    directory = published_directory(config)
    by_host: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        owner = directory.owner("timeline", directory.names.bucket(row[0]))
        by_host.setdefault(owner, []).append(row)
    return by_host


def _batches(rows: Rows) -> Iterator[list[tuple[str, str]]]:
    for start in range(0, len(rows), BATCH_ROWS):
        yield list(rows[start : start + BATCH_ROWS])


def miscounted(host: Desk) -> list[str]:
    """Count what the accounts of a host keep anew; return those whose count is wrong."""
    wrong: list[str] = []
    after: str | None = None
    while after != "":  # the last page
        page = host.ask("account miscounted", after=after or "")
        wrong += page["miscounted"]
        after = page["next"]
    return wrong

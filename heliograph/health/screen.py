"""The hosts of a fabric on one screen: a line each, then second copies and moves, and below what wants looking at.

Law: pure, and lenient: a host of another version may say less, and is shown all the same.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from directory.zone import is_newer
from heliograph.health.standing_screen import MOVES, STANDBYS, moves, of_standing, standbys
from heliograph.health.words import duration, size, table

Row = dict[str, Any]

OLD_MAIL_SECONDS = 3_600.0  # what waits longer is worth a look
DISK_OCTETS_MIN = 1 << 30
PROBLEMS_SHOWN_MAX = 3  # of a zone; `doctor` has them all
COLUMNS = 120  # where there is no terminal
HEAD = ("HOST", "ADDRESS", "STATE", "ZONE", "BUCKETS", "MAIL WAITING", "OLDEST", "IMAP", "DISK FREE")


def screen(rows: Sequence[Row], columns: int = COLUMNS) -> str:
    """Write the tables and the remarks. `columns`: of the terminal; where they are few, addresses are left out."""
    hosts = table(HEAD, map(_cells, rows))
    whole = [line for row, line in zip(rows, hosts[1:], strict=True) if "trouble" not in row]
    if max(map(len, [hosts[0], *whole])) > columns:
        hosts = table(_without_address(HEAD), map(_without_address, map(_cells, rows)))
    told = [line for remark in remarks(rows) for line in textwrap.wrap(remark, columns, subsequent_indent="  ")]
    parts = [hosts, table(STANDBYS, standbys(rows)), table(MOVES, moves(rows)), told]
    return "\n\n".join("\n".join(part) for part in parts if part)


def remarks(rows: Sequence[Row]) -> list[str]:
    """Say what is not as it should be, and what to do."""
    return [*_of_serials(rows), *(remark for row in rows for remark in _of_host(row)), *of_standing(rows)]


def newest(serials: Sequence[int]) -> int:
    """The newest of some serials, by the arithmetic of RFC 1982."""
    best = serials[0]
    for serial in serials[1:]:
        best = serial if is_newer(serial, best) else best
    return best


def _of_serials(rows: Sequence[Row]) -> Iterator[str]:
    told = [row for row in rows if row.get("up") and "serial" in row]
    if not told:
        return
    best = newest([row["serial"] for row in told])
    for row in told:
        if row["serial"] != best:
            yield (
                f"{row['host']} routes by zone {row['serial']}, and {best} is out: if that lasts, it does not reach the"
                " primary: see its log and `doctor`"
            )


def _of_host(row: Row) -> Iterator[str]:
    host = row["host"]
    if count := row.get("not_handed_over"):
        yield f"{host}: {count} buckets are on their way from or to it"
    for bucket, other in row.get("two_owners", ())[:PROBLEMS_SHOWN_MAX]:
        yield (
            f"{host}: {bucket} is owned by {other} too, and both hold something of it: let one of them give it to the"
            f" other: `bucket yield {bucket[1:].partition('.')[0]} --at {host}`, or --at {other}"
        )
    for problem in row.get("zone_problems", ())[:PROBLEMS_SHOWN_MAX]:
        yield f"{host}: the zone as it stands is refused, the last good one goes on: {problem}"
    if (age := row.get("queue", {}).get("oldest_seconds", 0)) > OLD_MAIL_SECONDS:
        yield f"{host}: mail waits since {duration(age)}: `queue list --host {host}` says why"
    if row.get("disk_free", DISK_OCTETS_MIN) < DISK_OCTETS_MIN:
        yield f"{host}: {size(row['disk_free'])} are left on its disk: when it is full, mail is answered 451"


def _without_address(cells: tuple[str, ...]) -> tuple[str, ...]:
    return cells[0], *cells[2:]


def _cells(row: Row) -> tuple[str, ...]:
    if "trouble" in row:
        return row["host"], row["address"], row["trouble"]
    queue = row.get("queue", {})
    return (
        row["host"],
        row["address"],
        "up" if row.get("up") else "down",
        str(row.get("serial", "?")),
        _buckets(row.get("owned")),
        _waiting(queue),
        duration(queue["oldest_seconds"]) if queue.get("oldest_seconds") else "-",
        _imap(row),
        size(row["disk_free"]) if "disk_free" in row else "?",
    )


def _buckets(owned: dict[str, int] | None) -> str:
    return f"{owned.get('timeline', 0)}+{owned.get('reflectors', 0)}" if owned else "?"


def _waiting(queue: dict[str, Any]) -> str:
    if not queue.get("recipients"):
        return "none"
    return f"{queue['recipients']}" + (f" ({deferred} put off)" if (deferred := queue.get("deferred")) else "")


def _imap(row: Row) -> str:
    return str(row["imap_connections"]) if "imap_connections" in row else "-"

"""Second copies and moves, for the screen of `status` and of `bucket status`: a row each, and what to do about them.

Law: pure, and lenient like `screen.py`. Of a host that is down, those tell that keep a copy of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from heliograph.health.words import bar, duration, size

Row = dict[str, Any]

STANDBYS = ("HOST", "STANDBY", "MODE", "COPY", "LAG")
MOVES = ("FROM", "TO", "BUCKETS", "NOW", "LEFT")
WHY_CHARACTERS_MAX = 160


def standbys(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """Who keeps whose copy, and how it is."""
    for row in rows:
        if standby := row.get("standby"):
            yield row["host"], standby["host"], standby["mode"], _copy_state(standby), _lag(standby)
        elif not row.get("up"):
            for keeper, copy in _copies_of(row["host"], rows):
                state = "shown for reading" if copy["shown"] else "whole" if copy["whole"] else "not whole"
                yield row["host"], keeper, "-", state, _as_of(copy)


def moves(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """What goes from where to where."""
    for row in rows:
        for move in row.get("moves", ()):
            handed, left = move["handed"], move["left"]
            count = f"{bar(handed, handed + left)} {handed} of {handed + left}"
            yield row["host"], move["to"], count, _now(move), _eta(move)


def of_standing(rows: Sequence[Row]) -> Iterator[str]:
    """What is not as it should be, and what to do."""
    yield from _of_succession(rows)
    given_up = {lost for row in rows for lost in _inherits(row)}
    for row in rows:
        host = row["host"]
        if standby := row.get("standby"):
            yield from _of_standby(host, standby)
        if not row.get("up") and host not in given_up:
            for keeper, copy in _copies_of(host, rows):
                yield from _of_copy(host, keeper, copy)
        if (held := row.get("queue", {}).get("held")) and (row.get("coming") or row.get("not_handed_over")):
            yield f"{host}: mail for {held} recipients is held there until their buckets have come"
    yield from why_waiting(rows)
    alone = [
        row["host"] for row in rows if "standby" in row and not row["standby"] and any(row.get("owned", {}).values())
    ]
    if alone and any(row.get("standby") for row in rows):
        yield f"without a standby, unlike others: {', '.join(alone)}: `host standby {alone[0]} HOST`"


def why_waiting(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        for move in row.get("moves", ()):
            if move["why"]:
                yield f"{row['host']}: what goes to {move['to']} waits: {move['why'][:WHY_CHARACTERS_MAX]}"


def _copies_of(host: str, rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
    for other in rows:
        for copy in other.get("copies", ()):
            if copy["of"] == host:
                yield other["host"], copy


def _copy_state(standby: Row) -> str:
    if standby["phase"] == "copying" and standby["pages"]:
        return (
            f"copying {bar(standby['pages_done'], standby['pages'])} {100 * standby['pages_done'] // standby['pages']}%"
        )
    return str(standby["phase"])


def _lag(standby: Row) -> str:
    lag, octets = standby["lag_seconds"], standby["lag_octets"]
    if standby["phase"] == "copying":
        return "-"
    if lag is None:
        return "?"
    if octets is None:
        return duration(lag)
    return f"{duration(lag)}, {size(octets)}" if lag or octets else "none"


def _as_of(copy: Row) -> str:
    return "?" if copy["age_seconds"] is None else f"as of {duration(copy['age_seconds'])} ago"


def _now(move: Row) -> str:
    units = f" {move['done']} of {move['units']}" if move["units"] and move["phase"] != "waiting" else ""
    return f"{move['phase']}{units}"


def _eta(move: Row) -> str:
    return "?" if move["eta"] is None else duration(move["eta"])


def _of_standby(host: str, standby: Row) -> Iterator[str]:
    name, why = standby["host"], _why(standby)
    if standby["behind"] and standby["mode"] == "required":
        yield f"{host}: nothing is acknowledged, mail is answered 451: its standby {name} is {standby['phase']}{why}"
    elif standby["mode"] == "required" and not standby["connected"]:
        yield f"{host}: its standby {name} is {standby['phase']}{why}: nothing is acknowledged without it"
    elif standby["behind"] or not standby["connected"]:
        yield f"{host}: it goes on with one disk: its standby {name} is {standby['phase']}{why}"


def _of_copy(host: str, keeper: str, copy: Row) -> Iterator[str]:
    if copy["whole"]:
        reading = f"{keeper} shows its mailboxes for reading" if copy["shown"] else f"{keeper} has a copy"
        yield f"{host} is away: {reading}, {_as_of(copy)}. If it is lost: `host promote {host}`"


def _inherits(row: Row) -> list[str]:
    """Whose heir a host is."""
    told = row.get("succession", {})
    return [*told.get("inheriting", {}), *told.get("inherited", ())]


def _of_succession(rows: Sequence[Row]) -> Iterator[str]:
    """Hosts that were given up, on their way out and back."""
    by_name = {row["host"]: row for row in rows}
    for row in rows:
        host, told = row["host"], row.get("succession", {})
        for lost, one in told.get("inheriting", {}).items():
            left = "it begins" if one["left"] is None else f"{one['left']} buckets are left"
            yield f"{host} takes over what {lost} had: {left}{_why(one)}"
        for lost in told.get("inherited", ()):
            back = by_name.get(lost, {})
            if back.get("up") and not back.get("succession", {}).get("returning"):
                yield f"{lost} was given up, is back and has nothing left to give: `host welcome {lost}`"
            elif not back.get("up"):
                yield f"{lost} was given up, and {host} has all that it had"
        if back := told.get("returning"):
            waits = ", its queue waits" if back["held"] else ""
            yield f"{host} was given up, and gives what only it has: {back['left']} buckets are left{waits}{_why(back)}"


def _why(told: Row) -> str:
    return f" ({told['why'][:WHY_CHARACTERS_MAX]})" if told.get("why") else ""

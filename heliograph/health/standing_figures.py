"""The figures of second copies, of moves and of lost hosts, for Prometheus (`figures.py`).

Law: a host without a standby has no figures of one: an alarm on them cannot be raised by hosts that want none. Labels
are names of hosts, which the operator gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gateway.metrics import Metric, Sample

Word = Mapping[str, Any]


def standing_metrics(told: Word) -> Iterator[Metric]:
    """`told`: as `standing.py` tells it."""
    if standby := told.get("standby"):
        yield from _of_standby(standby)
    if copies := told.get("copies"):
        yield from _of_copies(copies)
    moves = told.get("moves", ())
    yield _gauge("moves", "Hosts that buckets go to from here, at this moment.", [Sample(len(moves))])
    left = sum(move["left"] for move in moves)
    yield _gauge("moves_buckets_left", "Buckets that are to go from here and have not gone.", [Sample(left)])
    text = "Buckets that were given up here, and that the other host does not own yet."
    yield _gauge("buckets_sealed", text, [Sample(told.get("sealed", 0))])
    yield _gauge("buckets_coming", "Buckets that come here, and are not here yet.", [Sample(told.get("coming", 0))])
    yield from _of_succession(told.get("succession", {}))


def _of_standby(standby: Word) -> Iterator[Metric]:
    label = (("standby", standby["host"]), ("mode", standby["mode"]))
    yield _gauge(
        "standby_connected", "Whether the standby is there: 1, or 0.", [Sample(int(standby["connected"]), label)]
    )
    text = "Whether the standby is too far behind to be waited for: 1, or 0."
    yield _gauge("standby_behind", text, [Sample(int(standby["behind"]), label)])
    if standby["lag_seconds"] is not None:
        text = "Age of the newest commit that the standby holds, while there are newer ones; 0 in step."
        yield _gauge("standby_lag_seconds", text, [Sample(standby["lag_seconds"], label)])
    if standby["lag_octets"] is not None:
        text = "What was committed and is not sent to the standby yet."
        yield _gauge("standby_lag_bytes", text, [Sample(standby["lag_octets"], label)])


def _of_copies(copies: Sequence[Word]) -> Iterator[Metric]:
    yield _each(
        "copy_whole", "Whether the copy kept here of a host is whole: 1, or 0.", copies, lambda one: one["whole"]
    )
    text = "Whether that host sends what it commits: 1, or 0."
    yield _each("copy_connected", text, copies, lambda one: one["connected"])
    text = "When the newest commit in that copy was made, in seconds since 1970; 0 for none."
    yield _each("copy_timestamp_seconds", text, copies, lambda one: one["as_of"])
    text = "Whether that host is away, and its people are shown the copy: 1, or 0."
    yield _each("copy_shown", text, copies, lambda one: one["shown"])


def _of_succession(told: Word) -> Iterator[Metric]:
    """Of an heir: for each host whose place it takes. Of a host that was given up: what it has left to give."""
    lost = told.get("inheriting", {})
    yield _gauge("inheriting", "Lost hosts whose place this host takes, at this moment.", [Sample(len(lost))])
    left = {host: one["left"] for host, one in lost.items() if one["left"] is not None}
    if lost:
        text = "Whether it cannot go on for now with the place of that host, and tries again: 1, or 0."
        yield _gauge("inheriting_waits", text, _by_lost({host: int(bool(one["why"])) for host, one in lost.items()}))
    if left:
        text = "Buckets of that host that are not here yet; not told before its copy was looked into."
        yield _gauge("inheriting_buckets_left", text, _by_lost(left))
    if done := told.get("inherited"):
        yield _gauge("inherited", "Lost hosts that left all they had to this one.", _by_lost(dict.fromkeys(done, 1)))
    if back := told.get("returning"):
        yield _gauge(
            "returning_buckets_left", "Buckets that this host, which was given up, gives back.", [Sample(back["left"])]
        )
        text = "Whether its queue waits for its heir's word: 1, or 0."
        yield _gauge("returning_queue_held", text, [Sample(int(back["held"]))])


def _by_lost(values: Mapping[str, int]) -> list[Sample]:
    return [Sample(value, (("lost", host),)) for host, value in values.items()]


def _each(name: str, text: str, copies: Sequence[Word], value: Callable[[Word], float]) -> Metric:
    return _gauge(name, text, [Sample(float(value(one)), (("owner", one["of"]),)) for one in copies])


def _gauge(name: str, text: str, samples: Sequence[Sample]) -> Metric:
    return Metric(f"heliograph_{name}", "gauge", text, tuple(samples))

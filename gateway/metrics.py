"""Figures of a host in Prometheus' text format (version 0.0.4), and the route that gives them.

Law: the numbers tell of people's habits: they are for this machine, and for networks that the operator names. To all
others the path is not there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.route import Request, Response, Route
from mail.loopback import is_loopback

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NOT_FOUND = Response(404, b"not found\n")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Kind = Literal["counter", "gauge", "summary"]
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One number. `suffix`: ``_sum`` and ``_count`` of a summary."""

    value: float
    labels: Labels = ()
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """A name, what it means, and its numbers. Names end in their unit; counters in ``_total``."""

    name: str
    kind: Kind
    help: str
    samples: tuple[Sample, ...]


Measure = Callable[[], Awaitable[Sequence[Metric]]]


def metrics_routes(measure: Measure, networks: Sequence[Network] = ()) -> tuple[Route, ...]:
    """Where the figures are asked for. `networks`: who may, besides this machine."""

    async def answer(request: Request) -> Response:
        if not may_look(request.peer, networks):
            return NOT_FOUND
        return Response(200, exposition(await measure()).encode(), CONTENT_TYPE)

    return (Route("GET", "/metrics", answer),)


def may_look(peer: str, networks: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return is_loopback(peer) or any(address in network for network in networks)


def exposition(metrics: Sequence[Metric]) -> str:
    return "\n".join([line for metric in metrics for line in _lines(metric)]) + "\n"


def labelled(name: str, values: Mapping[str, float]) -> tuple[Sample, ...]:
    """One sample for each value of a label."""
    return tuple(Sample(value, ((name, label),)) for label, value in values.items())


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {_escaped(metric.help)}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for sample in metric.samples:
        labels = ",".join(f'{name}="{_quoted(value)}"' for name, value in sample.labels)
        yield f"{metric.name}{sample.suffix}{f'{{{labels}}}' if labels else ''} {_number(sample.value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))

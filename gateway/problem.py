"""What went wrong, for programs: RFC 9457 problem details.

Law: a problem says what to do; it repeats nothing that was sent but names of fields, and shows nothing of this host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from gateway.route import Response

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. `detail`: for people."""

    status: int
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)


def response_of(problem: Problem) -> Response:
    # RFC 9457 4.2.1: without a type of its own, its title is the status's phrase.
    told = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    return Response(problem.status, json.dumps(told).encode() + b"\n", CONTENT_TYPE, problem.headers)

"""What a dynamic update makes of the operator's file: its new text, and the edition that is then served.

Law: pure. The result is judged like any other version of the file, as a whole, before anything is written.
"""

from __future__ import annotations

from dataclasses import dataclass

from directory import wire
from directory.copy import Kept
from directory.edition import Edition, edit
from directory.problem import Problem
from directory.rewrite import rewrite
from directory.update import Nodes, Refused, Update, updated
from directory.zone import Zone, is_newer, soa_numbers
from directory.zone_text import read_zone


@dataclass(frozen=True, slots=True)
class Amended:
    """A version to write and to serve. `in_place`: only the lines that changed were touched."""

    content: bytes
    edition: Edition
    in_place: bool


def amend(content: bytes, update: Update, domain: str, buckets: int, before: Kept) -> Amended | Refused | None:
    """Return the amended file; None where the update changes nothing (RFC 2136 3.7: then the serial stays)."""
    zone = read_zone(content, domain).zone
    if zone is None:
        return Refused(wire.SERVFAIL, "the zone file has a mistake: mend that first")
    nodes = updated(zone, update)
    if isinstance(nodes, Refused):
        return nodes
    if all(nodes[owner] == zone.nodes.get(owner, {}) for owner in nodes):
        return None
    text = rewrite(content, zone, nodes, _next_serial(zone, nodes, before))
    edition = edit(text.content, domain, buckets, before)
    if not isinstance(edition, Edition):
        return Refused(wire.REFUSED, f"the zone would have a mistake: {_said(edition[0])}")
    return Amended(text.content, edition, text.in_place)


def _next_serial(zone: Zone, nodes: Nodes, before: Kept) -> int:
    """One more than what was served and written; or the update's own, if it is later."""
    served, wanted = before.zone.serial, soa_numbers(nodes[zone.origin][wire.SOA].rdatas[0])[0]
    least = zone.serial if is_newer(zone.serial, served) else served
    return wanted if is_newer(wanted, least) else (least + 1) & 0xFFFFFFFF


def _said(problem: Problem) -> str:
    """Its line is one of a file that was never written: without it."""
    return f"{problem.text}. {problem.remedy}"

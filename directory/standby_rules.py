"""What a zone has to keep to where it names standbys, one rule a function.

Law: a host has one standby for all that it holds, since its copy is one of its whole disk. That a bucket of it says
otherwise loses nothing, so it is a warning: who moves a bucket by one line of a zone is not held up by a second one.
"""

from __future__ import annotations

from collections.abc import Iterator

from directory import wire
from directory.fabric import Pairing, pairings, standbys_of
from directory.rules import Expected, Finding
from directory.zone import Zone


def standbys_are_others(zone: Zone, _: Expected) -> Iterator[Finding]:
    """A second copy on the same disk is none."""
    for one in pairings(zone):
        if one.standby and one.standby == one.owner:
            text = f"{_shown(zone, one)} has {one.owner} for its owner and for its standby"
            yield _finding(one, text, "Name another host at the higher number, or take the line out.", False)


def hosts_have_one_standby(zone: Zone, _: Expected) -> Iterator[Finding]:
    """Whatever a bucket says of its own, its host's whole disk is copied to whom most of its buckets name."""
    found = pairings(zone)
    standbys = standbys_of(found)
    for one in found:
        standby = standbys.get(one.owner, "")
        remedy = f"Write: MX 20 {standby}; or `heliograph host standby {one.owner} {standby}`, for all of them."
        if standby and not one.standby:
            text = f"{_shown(zone, one)} names no standby, and the others of {one.owner} name {standby}"
            yield _finding(one, text, remedy, True)
        elif standby and one.standby not in (standby, one.owner):
            text = f"{_shown(zone, one)} has the standby {one.standby}, but {one.owner} has one for all, {standby}"
            yield _finding(one, text, remedy, True)
        elif len(one.rdatas) > 2:
            text = f"{_shown(zone, one)} has more than one standby: only {one.standby} is one"
            yield _finding(one, text, "Take the MX with the highest numbers out.", True)


def _finding(one: Pairing, text: str, remedy: str, warning: bool) -> Finding:
    return Finding(text, remedy, one.bucket, wire.MX, sorted(one.rdatas)[min(1, len(one.rdatas) - 1)], warning)


def _shown(zone: Zone, one: Pairing) -> str:
    """``b7.timeline``, or ``b7.timeline (and 11 more buckets)``."""
    name = wire.text_of(one.bucket).removesuffix("." + zone.domain)
    return name if one.buckets == 1 else f"{name} (and {one.buckets - 1} more bucket{'s' * (one.buckets > 2)})"

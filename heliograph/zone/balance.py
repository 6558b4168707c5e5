"""Who is to have how many buckets, as the operator asks for it: both maps planned, shown, written into the zone.

Law: what is shown is what is written. A host to which the world's mail is not sent (it is being drained) is given
nothing, unless the operator gives it a weight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from directory import fabric
from directory.fabric import MAPS
from directory.hosts import takes_mail, with_owners
from directory.placing import Move, plan
from directory.snapshot import Map
from directory.update import Nodes
from directory.zone import Zone
from heliograph import exits
from heliograph.exits import CommandError

WEIGHT_MAX = 1_000  # a host that is to carry a thousand times as much as another is a mistake


@dataclass(frozen=True, slots=True)
class Balance:
    """What has to move in each map, and how many buckets each host has before and after it."""

    moves: Mapping[Map, tuple[Move, ...]]
    before: Mapping[Map, Mapping[str, int]]
    after: Mapping[Map, Mapping[str, int]]

    @property
    def count(self) -> int:
        return sum(map(len, self.moves.values()))


def balance(zone: Zone, weights: Mapping[str, Fraction]) -> Balance:
    """Plan both maps. `weights`: the operator's; the others have 1, or 0 where they are being drained."""
    directory = fabric.to_directory(zone)
    for host in weights:
        if host not in directory.hosts:
            known = ", ".join(directory.hosts)
            raise CommandError(exits.DATA, f"{host}: is no host of the zone: they are {known}")
    whole = {host: weights.get(host, Fraction(takes_mail(zone, host))) for host in directory.hosts}
    owners = {which: getattr(directory, which) for which in MAPS}
    try:
        moves = {which: plan(owners[which], whole) for which in MAPS}
    except ValueError as error:
        raise CommandError(exits.USAGE, f"{error}: somebody has to own the buckets") from None
    hosts = sorted(directory.hosts)
    before = {which: _counts(hosts, owners[which]) for which in MAPS}
    after = {which: _counts(hosts, _moved(owners[which], moves[which])) for which in MAPS}
    return Balance(moves, before, after)


def carried_out(zone: Zone, found: Balance) -> Nodes:
    """The zone's nodes after all of it."""
    for which, moves in found.moves.items():
        zone = Zone(zone.origin, with_owners(zone, which, {move.bucket: move.taker for move in moves}))
    return zone.nodes


def read_weights(text: str) -> dict[str, Fraction]:
    """``host-1=2,host-3=0.5``."""
    weights: dict[str, Fraction] = {}
    for part in filter(None, text.split(",")):
        host, _, number = part.partition("=")
        try:
            weight = Fraction(number)
        except (ValueError, ZeroDivisionError):
            weight = Fraction(-1)
        if not 0 <= weight <= WEIGHT_MAX or host in weights:
            raise CommandError(exits.USAGE, f"{part!r}: write weights like host-1=2,host-3=0.5, each host once")
        weights[host] = weight
    return weights


def table(found: Balance) -> list[str]:
    """For people: who has how many, and will."""
    hosts = sorted({host for counts in found.before.values() for host in counts})
    lines = [f"{'HOST':<12} {'TIMELINES':>18} {'REFLECTORS':>18}"]
    for host in hosts:
        cells = [f"{found.before[which][host]} -> {found.after[which][host]}" for which in MAPS]
        lines.append(f"{host:<12} {cells[0]:>18} {cells[1]:>18}")
    return lines


def ranges(moves: Iterable[Move]) -> list[str]:
    """``b10-b19 host-1 -> host-2``: neighbours that go the same way together."""
    runs: list[list[Move]] = []
    for move in moves:
        if runs and runs[-1][-1] == (move.bucket - 1, move.giver, move.taker):
            runs[-1].append(move)
        else:
            runs.append([move])
    return [f"{_span(run)} {run[0].giver} -> {run[0].taker}" for run in runs]


def _span(run: list[Move]) -> str:
    return f"b{run[0].bucket}" + (f"-b{run[-1].bucket}" if len(run) > 1 else "")


def _counts(hosts: Iterable[str], owners: Iterable[str]) -> dict[str, int]:
    counted = Counter(owners)
    return {host: counted[host] for host in sorted({*hosts, *counted})}


def _moved(owners: tuple[str, ...], moves: Iterable[Move]) -> tuple[str, ...]:
    changed = list(owners)
    for move in moves:
        changed[move.bucket] = move.taker
    return tuple(changed)

"""What a zone has to keep to where it says that a host is lost, one rule a function.

Law: whoever reads the zone must know for each bucket one host that answers for it, without asking further: an heir that
is lost itself, or a lost host that a bucket still names, is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from directory import wire
from directory.fabric import Loss, host_names, losses
from directory.losses import bucket_of
from directory.rules import Expected, Finding
from directory.zone import Zone


def lost_hosts_have_heirs(zone: Zone, _: Expected) -> Iterator[Finding]:
    """The record can be read, and names two hosts of the zone."""
    known, found = set(host_names(zone)), list(losses(zone))
    lost = {loss.host for loss in found}
    for loss in found:
        if loss.host not in known:
            yield _finding(loss, f"{_shown(zone, loss)} is of no host of this fabric", "Mend the name: _lost.host-1.")
        elif not loss.heir:
            yield _finding(loss, f"{_shown(zone, loss)} does not say who has what it had", f"Write: {_example(loss)}.")
        elif loss.heir not in known or loss.heir == loss.host:
            remedy = f"Name another host that has its replica: {_example(loss)}."
            yield _finding(loss, f"the heir of {loss.host} is {loss.heir}, which is no other host", remedy)
        elif loss.heir in lost:
            remedy = f"Name who has what {loss.heir} had, or take _lost.{loss.heir} out."
            yield _finding(loss, f"the heir of {loss.host} is {loss.heir}, which is lost itself", remedy)


def lost_hosts_own_nothing(zone: Zone, _: Expected) -> Iterator[Finding]:
    """Two words about one bucket would make two owners."""
    for loss in losses(zone):
        if loss.host and (named := bucket_of(zone, loss.host)):
            heir = loss.heir if loss.heir != loss.host else ""
            remedy = (
                f"Name {heir or 'its heir'} there (`host promote` does so for all of them), or, when it is back,"
                f" take _lost.{loss.host} out (`host welcome`)."
            )
            yield Finding(f"{named[0]} names {loss.host}, which the zone says is lost", remedy, named[1], wire.MX)


def _finding(loss: Loss, text: str, remedy: str) -> Finding:
    return Finding(text, remedy, loss.owner, wire.TXT)


def _example(loss: Loss) -> str:
    heir = "host-1" if loss.host == "host-2" else "host-2"
    return f'_lost.{loss.host} TXT "v=1 heir={heir}"'


def _shown(zone: Zone, loss: Loss) -> str:
    return wire.text_of(loss.owner).removesuffix("." + zone.domain)

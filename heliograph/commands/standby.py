"""``heliograph host standby``: which host keeps the second copy of another one's disk.

Law: an edit of the zone, shown before it is written. It says what is wanted; the two hosts make the copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, say
from heliograph.commands.grow import APPLY
from heliograph.exits import CommandError

if TYPE_CHECKING:
    from directory.snapshot import Directory

NONE = "none"  # instead of a host


@click.command()
@click.argument("host")
@click.argument("standby", metavar=f"STANDBY|{NONE}")
@APPLY
@json_option
@click.pass_context
def standby(context: click.Context, host: str, standby: str, apply: bool) -> None:
    """Have STANDBY keep a copy of all that HOST commits: the second MX of HOST's buckets."""
    from directory.fabric import to_directory
    from directory.hosts import with_standby
    from heliograph.zone.file import draft, read_live

    config = config_of(context)
    directory = to_directory(read_live(config)[1])
    wanted = "" if standby == NONE else standby
    buckets = _check(directory, host, wanted)
    made = draft(config, lambda zone: with_standby(zone, host, wanted))
    serial = made.write() if apply else None
    answer = {"host": host, "before": directory.standbys.get(host, ""), "standby": wanted, "buckets": buckets}
    lines = [
        f"{host}: its standby is {directory.standbys.get(host, NONE)}, and would be {standby}, for {buckets} buckets"
    ]
    if serial is None:
        lines.append("Nothing was changed: repeat with --apply")
    else:
        then = (
            f"`status` shows how the copy at {wanted} grows" if wanted else f"{host} waits for no other disk any more"
        )
        lines = [f"{host}: the zone names {standby} as its standby, serial {serial}; {then}"]
    say(answer | {"applied": apply, "serial": serial}, "\n".join(lines))


def _check(directory: Directory, host: str, standby: str) -> int:
    """Return how many buckets of the host there are."""
    for name in filter(None, (host, standby)):
        if name not in directory.hosts:
            known = ", ".join(directory.hosts)
            raise CommandError(exits.DATA, f"{name}: is no host of the zone: they are {known}")
    if host == standby:
        raise CommandError(exits.DATA, f"{host}: a second copy on the same disk is none: name another host, or {NONE}")
    buckets = directory.timeline.count(host) + directory.reflectors.count(host)
    if not buckets:
        raise CommandError(exits.UNAVAILABLE, f"the zone gives {host} no buckets: a standby is named in their lines")
    return buckets

"""``heliograph host promote`` and ``host welcome``: a lost host's place is taken, and it comes back.

Law: both are an edit of the zone, shown before it is written. Hosts are asked first, and what would lose something is
refused with what to do instead; --force is for who knows better.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, say
from heliograph.commands.grow import APPLY
from heliograph.exits import CommandError
from heliograph.health.words import duration, size

if TYPE_CHECKING:
    from directory.snapshot import Directory
    from heliograph.configuration.settings import Config

REQUIRED = "required"
FORCE = click.option("--force", is_flag=True, help="Do it whatever the hosts say.")


@click.command()
@click.argument("name")
@click.option("--to", "heir", default="", metavar="HEIR", help="Who is to have what it had; its standby if not said.")
@FORCE
@APPLY
@json_option
@click.pass_context
def promote(context: click.Context, name: str, heir: str, force: bool, apply: bool) -> None:
    """Give up the host NAME: its standby takes its buckets and its queue out of its copy."""
    from directory.fabric import to_directory
    from directory.losses import with_heir
    from heliograph.zone.file import draft, read_live

    config = config_of(context)
    directory = to_directory(read_live(config)[1])
    heir = heir or directory.standbys.get(name, "")
    _check_names(config, directory, name, heir)
    words = _words(config)
    standby, waits = directory.standbys.get(name, ""), config.standby_mode == REQUIRED
    _refuse(list(_doubts(name, heir, standby, words, waits)), force)
    copy = _copy(name, words.get(heir, {}))
    made = draft(config, lambda zone: with_heir(zone, name, heir))
    serial = made.write() if apply else None
    counts = {which: getattr(directory, which).count(name) for which in ("timeline", "reflectors")}
    alone = sorted(host for host, standby in directory.standbys.items() if standby == name and host != name)
    lines = [f"{name}: {counts['timeline']} timelines and {counts['reflectors']} reflectors go to {heir}"]
    lines += _of_copy(name, heir, copy, waits and heir == standby)
    lines += [f"{host} has no standby then: `host standby {host} HOST`" for host in alone]
    done = f"the zone says so, serial {serial}: `status` shows how far {heir} is"
    lines.append(
        f"{done}; should {name} come back, it gives what is left"
        if apply
        else "Nothing was changed: repeat with --apply"
    )
    answer = {"host": name, "heir": heir, **counts, "copy": copy, "alone": alone, "applied": apply, "serial": serial}
    say(answer, "\n".join(lines))


@click.command()
@click.argument("name")
@FORCE
@APPLY
@json_option
@click.pass_context
def welcome(context: click.Context, name: str, force: bool, apply: bool) -> None:
    """Let the host NAME, which was given up and is back, be one again. It gets buckets like any other."""
    from directory.fabric import to_directory
    from directory.losses import without_loss
    from heliograph.zone.file import draft, read_live

    config = config_of(context)
    directory = to_directory(read_live(config)[1])
    if name not in directory.lost:
        raise CommandError(exits.DATA, f"{name}: the zone does not say that it is lost")
    _refuse(list(_left(name, directory.lost[name], _words(config))), force)
    made = draft(config, lambda zone: without_loss(zone, name))
    serial = made.write() if apply else None
    done = f"{name} is no lost host any more, serial {serial}: `bucket move`, `rebalance` and `host standby` as ever"
    text = done if apply else f"{name} has nothing left to give back. Nothing was changed: repeat with --apply"
    say({"host": name, "applied": apply, "serial": serial}, text)


def _check_names(config: Config, directory: Directory, name: str, heir: str) -> None:
    for host in filter(None, (name, heir)):
        if host not in directory.hosts:
            known = ", ".join(directory.hosts)
            raise CommandError(exits.DATA, f"{host}: is no host of the zone: they are {known}")
    if name in directory.lost:
        raise CommandError(
            exits.DATA, f"{name}: the zone says so already, and that {directory.lost[name]} has what it had"
        )
    if not heir:
        raise CommandError(
            exits.UNAVAILABLE, f"{name} has no standby: say --to HOST, with --force where it has no copy"
        )
    if heir == name or heir in directory.lost:
        raise CommandError(exits.DATA, f"{heir}: cannot be the heir of {name}: name another host with --to")
    if name == config.primary and config.dns.primary is None:
        raise CommandError(exits.UNAVAILABLE, f"{name} is the zone's primary: `zone primary {heir}` first, then repeat")


def _doubts(name: str, heir: str, standby: str, words: Mapping[str, Mapping[str, Any]], waits: bool) -> Iterator[str]:
    """What speaks against a promotion. `waits`: nothing is acknowledged that the standby does not hold."""
    if words.get(name, {}).get("up"):
        yield f"{name} answers, so it is not lost: `host drain {name}` moves all that it has, and loses nothing"
    there = words.get(heir, {})
    if not there.get("up"):
        yield f"{heir} does not answer, so nobody knows what its copy of {name} holds: start it"
        return
    copy = _copy(name, there)
    if copy is None:
        yield f"{heir} has no copy of {name}: start {name} again, or choose a host that has one with --to"
    elif not copy["whole"]:
        done = f"{copy['pages_done']} of {copy['pages']} pages"
        yield f"the copy of {name} at {heir} is not whole ({done}): start {name} again, and let it come to its end"
    elif heir != standby:
        yield f"{heir} is not the standby of {name} (that is {standby or 'nobody'}): its copy is from when it was"
    elif copy.get("lag_octets") and not waits:
        lacks = f"the copy of {name} at {heir} lacks some {size(copy['lag_octets'])} that {name} had said of last"
        yield f"{lacks}, and may have acknowledged alone: start {name} again, if that can be done"


def _copy(name: str, word: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a host says of its copy of another one; None where it has none."""
    return next((one for one in word.get("copies", ()) if one["of"] == name), None)


def _of_copy(name: str, heir: str, copy: Mapping[str, Any] | None, has_all: bool) -> Iterator[str]:
    """How old the copy is, and what may be missing: who gives up a host is to know what that costs. `has_all`: nothing
    was acknowledged that is not in it."""
    if copy is None or not copy["whole"]:
        yield f"{heir} has no whole copy of {name}: all of it waits until {name} comes back"
        return
    if copy.get("as_of"):
        date = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(copy["as_of"]))
        yield f"the newest commit in the copy at {heir} is of {date}, {duration(copy['age_seconds'])} ago"
    if heard := copy.get("heard_at"):
        yield f"{heir} last heard of {name} {duration(time.time() - heard)} ago"
    if has_all:
        yield f"all that {name} acknowledged is in it: mode = {REQUIRED}"
    else:
        yield f"what {name} acknowledged later, with one disk, is not in it, and is lost with that disk"


def _left(name: str, heir: str, words: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What a host that is back still has to do as a lost one."""
    word = words.get(name, {})
    if not word.get("up"):
        yield f"{name} does not answer: start it, and let it give {heir} what only it has"
    elif returning := word.get("succession", {}).get("returning"):
        why = f": {returning['why']}" if returning["why"] else ""
        yield f"{name} has {returning['left']} buckets left to give back{why}: wait, `status` shows it"


def _refuse(doubts: list[str], force: bool) -> None:
    if doubts and not force:
        raise CommandError(exits.TEMPFAIL, "; ".join(doubts) + ". Nothing was changed; --force does it all the same")


def _words(config: Config) -> dict[str, dict[str, Any]]:
    """What each host says of itself, asked through one that runs here."""
    from heliograph.control.desk import survey

    return {word["host"]: word for word in survey(config)}

"""``heliograph host add|drain|remove`` and ``heliograph rebalance``: a fabric that grows and shrinks.

Law: all of it is an edit of the zone in the end; what moves buckets is shown first, and done with --apply. Until a
bucket was handed over its owner serves it: any of this can be taken back by editing the zone again.
"""

from __future__ import annotations

import ipaddress
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, note, say
from heliograph.exits import CommandError

if TYPE_CHECKING:
    from heliograph.zone.balance import Balance

APPLY = click.option("--apply", is_flag=True, help="Edit the zone; without it, only show.")
LOOK_SECONDS = 1.0  # while a host is waited for
RANGES_SHOWN_MAX = 40  # of a plan; --json has all


@click.command()
@click.argument("name")
@click.option("--address", required=True, help="The address that it listens at.")
@click.option("--bundle", type=click.Path(path_type=Path), help="What its machine gets; NAME.bundle otherwise.")
@click.option("--here", is_flag=True, help="It is to run on this machine: no bundle.")
@json_option
@click.pass_context
def add(context: click.Context, name: str, address: str, bundle: Path | None, here: bool) -> None:
    """Add the host NAME: keys, certificates, configuration, zone. It owns no buckets until `rebalance`."""
    from heliograph.configuration.settings import HostConfig
    from heliograph.founding.joining import newcomer, publish, write_bundle
    from heliograph.founding.new_folder import File, add_files

    config, now = config_of(context), time.time()
    try:
        host = HostConfig(name, str(ipaddress.ip_address(address)))
    except ValueError:
        raise CommandError(exits.USAGE, f"--address {address}: write it like 192.0.2.1") from None
    new = newcomer(config, host, now, os.urandom)
    path = (bundle or Path(f"{name}.bundle")).absolute()
    if here:
        own = [File(place, content) for place, content in new.files.items() if place != "tls/ca.pem"]
        add_files(config.root, own)
        next_steps = ["Next: restart `up`"]
    else:
        write_bundle(config, new, path, now)
        there = f"heliograph init --join {path.name} DIR && heliograph -C DIR up"
        next_steps = [f"Next: bring {path} to its machine (it holds keys); there: {there}"]
    serial = publish(config, new)
    answer = {"host": name, "address": host.address, "serial": serial, "bundle": "" if here else str(path)}
    lines = [f"{name} at {host.address} is in the zone, serial {serial}, and owns no bucket yet", *next_steps]
    say(answer, "\n".join([*lines, "      heliograph rebalance --apply, once it is up"]))


@click.command()
@click.argument("name")
@APPLY
@json_option
@click.pass_context
def drain(context: click.Context, name: str, apply: bool) -> None:
    """Give all buckets of the host NAME to the others, and send it no new mail and no readers."""
    from fractions import Fraction

    from directory.hosts import without_mail
    from directory.zone import Zone
    from heliograph.zone.balance import balance, carried_out
    from heliograph.zone.file import draft, read_live

    config = config_of(context)
    _, zone = read_live(config)
    found = balance(zone, {name: Fraction(0)})
    made = draft(config, lambda zone: carried_out(Zone(zone.origin, without_mail(zone, name)), found))
    _told(found, made.write() if apply else None, f"`host remove {name}` when `status` shows no bucket at {name}")


@click.command()
@click.argument("name")
@click.option("--dead", is_flag=True, help="It will not answer any more.")
@click.option("--wait", is_flag=True, help="Wait until it holds nothing any more, and say what it still holds.")
@json_option
@click.pass_context
def remove(context: click.Context, name: str, dead: bool, wait: bool) -> None:
    """Take the drained host NAME out of the zone and the configuration. Its folder stays where it is."""
    from directory.hosts import without_host
    from heliograph.founding.joining import leave
    from heliograph.zone.file import draft, read_live

    config = config_of(context)
    config.host(name)
    if name == config.primary:
        raise CommandError(exits.UNAVAILABLE, f"{name} is the zone's primary: `zone primary` another host first")
    zone = read_live(config)[1]
    _check_unnamed(name, zone)
    _check_inherited(config, name, zone)
    if not dead:
        _check_empty(config, name, wait)
    folder = config.host_folder(name)
    made = draft(config, lambda zone: without_host(zone, name, _selectors(zone, name)))
    serial = made.write()
    leave(config, name)
    text = f"{name} is out of the zone, serial {serial}, and its key is revoked with it; stop it, and keep {folder}"
    say({"host": name, "serial": serial}, f"{text} until you are sure")


@click.command()
@click.option("--weights", default="", metavar="HOST=N,...", help="How much a host is to carry; 1 where not said.")
@click.option("--plan", is_flag=True, help="Only show: what happens without --apply.")
@APPLY
@json_option
@click.pass_context
def rebalance(context: click.Context, weights: str, plan: bool, apply: bool) -> None:
    """Spread the buckets over the hosts by weight, moving as few as can be."""
    from heliograph.zone.balance import balance, carried_out, read_weights
    from heliograph.zone.file import draft, read_live

    if plan and apply:
        raise CommandError(exits.USAGE, "--plan shows and --apply does: choose one")
    config = config_of(context)
    _, zone = read_live(config)
    found = balance(zone, read_weights(weights))
    if not found.count:
        return say(_answer(found, None), "the buckets are where they should be")
    made = draft(config, lambda zone: carried_out(zone, found))
    return _told(found, made.write() if apply else None, "`status` shows how far it is")


def _told(found: Balance, serial: int | None, then: str) -> None:
    from heliograph.zone.balance import ranges, table

    lines = table(found)
    for which, moves in found.moves.items():
        spans = ranges(moves)
        shown = spans if len(spans) <= RANGES_SHOWN_MAX else [*spans[:RANGES_SHOWN_MAX], f"and {len(spans)} more"]
        lines += [f"  {which}: {span}" for span in shown[: RANGES_SHOWN_MAX + 1]]
    done = f"{found.count} buckets are to move: the zone says so, serial {serial}; {then}"
    left = f"{found.count} buckets would move. Nothing was changed: repeat with --apply"
    say(_answer(found, serial), "\n".join([*lines, done if serial is not None else left]))


def _answer(found: Balance, serial: int | None) -> dict[str, Any]:
    moves = {which: [list(move) for move in moves] for which, moves in found.moves.items()}
    counts = {"before": found.before, "after": found.after}
    return {"moves": moves, **counts, "applied": serial is not None, "serial": serial}


def _check_unnamed(name: str, zone: Any) -> None:
    from directory.fabric import to_directory

    directory = to_directory(zone)
    named = directory.timeline.count(name) + directory.reflectors.count(name)
    if named:
        raise CommandError(exits.UNAVAILABLE, f"the zone gives {name} {named} buckets: `host drain {name}` first")


def _check_inherited(config: Any, name: str, zone: Any) -> None:
    """Of a host that was given up the heir must have everything: its part ends with the record that says so."""
    from directory.fabric import lost_of

    heir = lost_of(zone).get(name)
    if heir and not any(name in word.get("succession", {}).get("inherited", ()) for word in _words(config)):
        raise CommandError(
            exits.TEMPFAIL, f"{heir} does not say that it has all that {name} had: see `status`, then repeat"
        )


def _check_empty(config: Any, name: str, wait: bool) -> None:
    """A host that still owns a bucket, or passes posts on, holds what people would miss."""
    from heliograph.zone.parting import held_by

    said: list[str] = []
    while why := held_by(name, _words(config)):
        if not wait:
            text = f"{name} may not go yet: {'; '.join(why)}: see `status`, then repeat, or say --wait"
            raise CommandError(exits.TEMPFAIL, text)
        if why != said:
            note(f"{name}: {'; '.join(why)}")
        said = why
        time.sleep(LOOK_SECONDS)


def _words(config: Any) -> list[dict[str, Any]]:
    """What all hosts say of themselves, asked through one that runs here."""
    from heliograph.control.desk import survey

    return survey(config)


def _selectors(zone: Any, name: str) -> list[str]:
    """A host's DKIM selectors: they are made from its name."""
    from directory.fabric import dkim_of

    return [selector for selector in dkim_of(zone) if re.fullmatch(rf"{re.escape(name)}-[re][0-9]+", selector)]

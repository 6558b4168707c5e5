"""``heliograph bucket``: give buckets to another host, watch them go, let go of what stayed behind.

Law: a move is an edit of the zone, and so is taking it back; the hosts do the rest by themselves.
"""

from __future__ import annotations

import re
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, note, say
from heliograph.control.control_socket import ANSWER_SECONDS_MAX, ControlClient, NotRunning
from heliograph.exits import CommandError

if TYPE_CHECKING:
    from heliograph.configuration.settings import Config

MAPS = {"timeline": ("timeline",), "reflectors": ("reflectors",), "both": ("timeline", "reflectors")}
LOOK_SECONDS = 0.5
WATCH_SECONDS = 2.0
RELOAD_SECONDS_MAX = 10.0  # a primary that stands still looks at its file when it goes on

map_option = click.option(
    "--map", "which", type=click.Choice(list(MAPS)), default="both", show_default=True, help="Mailboxes, lists or both."
)


@click.group()
def bucket() -> None:
    """Move buckets between hosts."""


@bucket.command()
@click.argument("numbers", metavar="N[-M]")
@click.argument("host")
@map_option
@click.option("--wait", is_flag=True, help="Return when the hosts that answer have handed all of it over.")
@json_option
@click.pass_context
def move(context: click.Context, numbers: str, host: str, which: str, wait: bool) -> int:
    """Give buckets N to M to HOST, by an edit of the zone."""
    from heliograph.health.screen import newest
    from heliograph.zone.remapping import remap

    config = config_of(context)
    first, last = _range(config, numbers)
    config.host(host)
    heard = newest(_serials(config) or [0])
    changed = remap(config, [(of, number, host) for of in MAPS[which] for number in range(first, last + 1)])
    _reload(config)
    left = _wait(config, which, first, last, heard if changed else None) if wait else 0
    answer = {"buckets": f"{first}-{last}", "map": which, "host": host, "left": left}
    say(answer, f"the zone gives {' and '.join(MAPS[which])} {numbers} to {host}: see `bucket status`")
    return exits.OK


@bucket.command()
@click.option("--watch", is_flag=True, help="Look again and again, until nothing is on its way.")
@json_option
@click.pass_context
def status(context: click.Context, watch: bool) -> None:
    """Tell which buckets are on their way, and how far."""
    from heliograph.health.bucket_screen import is_busy, screen

    config = config_of(context)
    rows = _states(config)
    while watch and any(map(is_busy, rows)):
        if sys.stdout.isatty():
            click.clear()
        say({"hosts": rows}, screen(rows))
        time.sleep(WATCH_SECONDS)
        rows = _states(config)
    say({"hosts": rows}, screen(rows))


@bucket.command()
@click.argument("numbers", metavar="N[-M]")
@map_option
@json_option
@click.pass_context
def abandon(context: click.Context, numbers: str, which: str) -> int:
    """Set the zone back for what has not been given up yet."""
    from heliograph.zone.remapping import remap

    config = config_of(context)
    first, last = _range(config, numbers)
    back = [
        (one["map"], one["bucket"], found["host"])
        for found in _states(config)
        for one in found.get("going", [])
        if one["map"] in MAPS[which] and first <= one["bucket"] <= last
    ]
    if back:
        remap(config, back)
        _reload(config)
    none = (
        f"of {numbers} nothing waits to go at a host that answers: what is sealed or gone is moved back, not abandoned"
    )
    text = f"{len(back)} buckets stay where they are" if back else none
    say({"abandoned": [f"b{number}.{of}" for of, number, _ in back]}, text)
    return exits.OK if back else exits.UNAVAILABLE


@bucket.command()
@click.argument("numbers", metavar="N[-M]")
@map_option
@json_option
@click.pass_context
def forget(context: click.Context, numbers: str, which: str) -> None:
    """Let go of the copies that stayed where buckets were handed over, before their 14 days are over."""
    config = config_of(context)
    first, last = _range(config, numbers)
    gone: list[str] = []
    for name in _hosts(config):
        found = _ask(config, name, "bucket forget", ANSWER_SECONDS_MAX, maps=list(MAPS[which]), first=first, last=last)
        gone += [f"{one} at {name}" for one in found.get("forgotten", [])]
    say({"forgotten": gone}, "\n".join(gone) or "nothing was kept by the hosts here that answer")


@bucket.command(name="yield")
@click.argument("numbers", metavar="N[-M]")
@click.option("--at", "host", required=True, metavar="HOST", help="The host that gives way; it runs on this machine.")
@map_option
@json_option
@click.pass_context
def give_way(context: click.Context, numbers: str, host: str, which: str) -> int:
    """Where two hosts own a bucket (`status` says so): let HOST give way, and give the other all that it has."""
    config = config_of(context)
    first, last = _range(config, numbers)
    if config.host(host).name not in _hosts(config):
        raise CommandError(exits.UNAVAILABLE, f"{host} is not on this machine: run this where {host} runs")
    found = _ask(config, host, "bucket yield", ANSWER_SECONDS_MAX, maps=list(MAPS[which]), first=first, last=last)
    if not found:
        raise CommandError(exits.UNAVAILABLE, f"{host} gives way only while it runs: start it, then repeat")
    gone = found["yielded"]
    say({"yielded": gone, "host": host}, "\n".join(gone) or f"{host} knows of no other owner of {numbers}")
    return exits.OK if gone else exits.UNAVAILABLE


def _range(config: Config, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,10})(?:-([0-9]{1,10}))?", text)
    if match is None:
        raise CommandError(exits.USAGE, f"{text!r}: write one number, or two: 56 or 56-99")
    first, last = int(match[1]), int(match[2] or match[1])
    if first > last:
        raise CommandError(exits.USAGE, f"{text!r}: the smaller number first: {last}-{first}")
    if last >= config.buckets:
        raise CommandError(exits.DATA, f"{text}: this fabric has buckets 0 to {config.buckets - 1}")
    return first, last


def _wait(config: Config, which: str, first: int, last: int, heard: int | None) -> int:
    """Show how far it is, on a terminal, until no host that answers has any of it left. `heard`: the zone's serial that
    a host may have heard before it was changed: one that knows none newer does not know yet that it is to give."""
    from directory.zone import is_newer

    while heard is not None and not all(is_newer(serial, heard) for serial in _serials(config)):
        time.sleep(LOOK_SECONDS)
    left = total = _left(config, which, first, last)
    with click.progressbar(length=max(total, 1), label="buckets", file=sys.stderr) as bar:
        while left:
            time.sleep(LOOK_SECONDS)
            now = _left(config, which, first, last)
            bar.update(max(left - now, 0))
            left = now
    return left


def _left(config: Config, which: str, first: int, last: int) -> int:
    from heliograph.health.bucket_screen import ON_THEIR_WAY

    found = [one for state in _states(config) for one in (*state.get("going", []), *state.get("buckets", []))]
    mine = [one for one in found if one["map"] in MAPS[which] and first <= one["bucket"] <= last]
    return sum(one.get("state", "going") in ("going", *ON_THEIR_WAY) for one in mine)


def _reload(config: Config) -> None:
    """The primary looks at its file by itself, a moment later."""
    if config.primary in _hosts(config):
        _ask(config, config.primary, "zone reload", RELOAD_SECONDS_MAX)


def _states(config: Config) -> list[dict[str, Any]]:
    """What each host holds of buckets that are not simply its own, asked through one that runs here."""
    from heliograph.control.desk import survey

    return survey(config, "bucket survey") or [{"host": name, "trouble": "is down"} for name in _hosts(config)]


def _serials(config: Config) -> list[int]:
    """The zone that each host goes by which answers."""
    return [found["serial"] for found in _states(config) if "serial" in found]


def _hosts(config: Config) -> list[str]:
    from heliograph.control.desk import hosts_here

    return hosts_here(config)


def _ask(config: Config, name: str, act: str, seconds_max: float, **arguments: Any) -> dict[str, Any]:
    try:
        with closing(ControlClient(config.host_folder(name), seconds_max)) as client:
            return client.ask(act, **arguments)
    except NotRunning:
        note(f"{name} is down")
    except CommandError as error:
        if error.code != exits.TEMPFAIL:
            raise
        note(f"{name}: {error}")
    return {}

"""``heliograph feed``: what is polled.

Law: people start feeds by mail; the operator looks, asks for a poll, and stops one that does harm.
"""

from __future__ import annotations

import time
from typing import Any

import click

from heliograph import exits
from heliograph.commands.frame import NEVER, config_of, json_option, lines_of, say
from heliograph.commands.opml import export, import_
from heliograph.exits import CommandError


@click.group()
def feed() -> None:
    """List, show, poll and suspend feeds; import and export lists of them."""


@feed.command("list")
@json_option
@click.pass_context
def list_(context: click.Context) -> None:
    """List the feeds that the hosts on this machine poll."""
    from heliograph.control.desk import every_row

    rows = every_row(config_of(context), "feed list", "feeds", "source")
    now = time.time()
    say({"feeds": rows}, "\n".join(_line(row, now) for row in rows) or "no feeds")


@feed.command()
@click.argument("which", metavar="SOURCE|URL")
@json_option
@click.pass_context
def show(context: click.Context, which: str) -> None:
    """Show one feed."""
    from heliograph.control.desk import desk, hosts_here

    config = config_of(context)
    for name in hosts_here(config):
        with desk(config, name) as host:
            found = host.ask("feed show", feed=which)["feed"]
        if found:
            row = {"host": name, **found}
            shown = {key: value for key, value in row.items() if key != "push"}
            say(row, lines_of(shown))
            return
    raise _unknown(which)


@feed.command()
@click.argument("which", metavar="SOURCE|URL")
@json_option
@click.pass_context
def poll(context: click.Context, which: str) -> None:
    """Poll a feed now."""
    _do(context, "poll", which, "polls {which} now")


@feed.command()
@click.argument("which", metavar="SOURCE|URL")
@json_option
@click.pass_context
def suspend(context: click.Context, which: str) -> None:
    """Poll a feed no more, until it is resumed. Its followers keep what they have, and are not told."""
    _do(context, "suspend", which, "polls {which} no more")


@feed.command()
@click.argument("which", metavar="SOURCE|URL")
@json_option
@click.pass_context
def resume(context: click.Context, which: str) -> None:
    """Poll a suspended feed again."""
    _do(context, "resume", which, "polls {which} again")


@feed.command()
@click.argument("which", metavar="SOURCE|URL")
@click.option("--off", is_flag=True, help="Post what the feed has, again.")
@json_option
@click.pass_context
def fulltext(context: click.Context, which: str, off: bool) -> None:
    """Post a feed's whole articles, fetched from their pages, to all its followers."""
    done = "posts what {which} has of its articles" if off else "posts whole articles of {which}"
    _do(context, "fulltext", which, done, wanted=not off)


for command in (import_, export):
    feed.add_command(command)


def _do(context: click.Context, what: str, which: str, done: str, **more: Any) -> None:
    """Do it at the host that has the feed."""
    from heliograph.control.desk import desk, hosts_here

    config = config_of(context)
    for name in hosts_here(config):
        with desk(config, name) as host:
            if host.ask(f"feed {what}", feed=which, **more)["found"]:
                say({"host": name, "feed": which}, f"{name} {done.format(which=which)}")
                return
            if known := host.ask("feed show", feed=which)["feed"]:
                raise CommandError(exits.UNAVAILABLE, f"{which}: nothing was changed: {_why_not(what, known)}")
    raise _unknown(which)


def _why_not(what: str, known: dict[str, Any]) -> str:
    return "it is not suspended" if what == "resume" else str(known["why"])


def _unknown(which: str) -> CommandError:
    return CommandError(exits.NOUSER, f"{which}: no host on this machine polls it: see `feed list`")


def _line(row: dict[str, Any], now: float) -> str:
    due = f"due in {max(0, row['next_due'] - now):>6.0f} s" if row["next_due"] < NEVER else f"{'not due':>15}"
    answer = f"  ({row['last_answer']})" if row["last_answer"] else ""
    return f"{row['host']:<10} {row['source']:<31} {due}  {row['url']}{answer}  {row['why']}"

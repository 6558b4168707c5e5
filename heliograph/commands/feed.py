"""``heliograph feed``: what is polled.

Law: people start feeds by mail; the operator looks, and asks for a poll.
"""

from __future__ import annotations

import time
from typing import Any

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, say
from heliograph.exits import CommandError


@click.group()
def feed() -> None:
    """List, show and poll feeds."""


@feed.command("list")
@json_option
@click.pass_context
def list_(context: click.Context) -> None:
    """List the feeds that the hosts on this machine poll."""
    from heliograph.desk import desk, hosts_here

    config = config_of(context)
    rows: list[dict[str, Any]] = []
    for name in hosts_here(config):
        with desk(config, name) as host:
            after, more = "", True
            while more:
                page = host.ask("feed list", after=after)
                rows += [{"host": name, **row} for row in page["feeds"]]
                more = page["more"]
                after = page["feeds"][-1]["source"] if more else ""
    now = time.time()
    say({"feeds": rows}, "\n".join(_line(row, now) for row in rows) or "no feeds")


@feed.command()
@click.argument("which", metavar="SOURCE|URL")
@json_option
@click.pass_context
def show(context: click.Context, which: str) -> None:
    """Show one feed."""
    from heliograph.desk import desk, hosts_here

    config = config_of(context)
    for name in hosts_here(config):
        with desk(config, name) as host:
            found = host.ask("feed show", feed=which)["feed"]
        if found:
            row = {"host": name, **found}
            say(row, "\n".join(f"{key:<14}{value}" for key, value in row.items()))
            return
    raise _unknown(which)


@feed.command()
@click.argument("which", metavar="SOURCE|URL")
@json_option
@click.pass_context
def poll(context: click.Context, which: str) -> None:
    """Poll a feed now."""
    from heliograph.desk import desk, hosts_here

    config = config_of(context)
    for name in hosts_here(config):
        with desk(config, name) as host:
            if host.ask("feed poll", feed=which)["found"]:
                say({"host": name, "feed": which}, f"{name} polls {which} now")
                return
    raise _unknown(which)


def _unknown(which: str) -> CommandError:
    return CommandError(exits.NOUSER, f"{which}: no host on this machine polls it: see `feed list`")


def _line(row: dict[str, Any], now: float) -> str:
    due = max(0, row["next_due"] - now)
    errors = f"  {row['errors']} errors, last {row['last_answer']}" if row["errors"] else ""
    return f"{row['host']:<10} {row['source']:<31} due in {due:>6.0f} s  {row['url']}{errors}"

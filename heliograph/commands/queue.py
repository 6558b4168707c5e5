"""``heliograph queue``: mail on its way.

Law: listing changes nothing; what is dropped is gone, and is asked for by number.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, note, say
from heliograph.exits import CommandError

if TYPE_CHECKING:
    from heliograph.control.desk import Desk

LISTED_MAX = 1000  # per host, unless --all: a backlog of a million lines helps nobody
HOST = click.option("--host", "only", metavar="NAME", help="Only this host.")


@click.group()
def queue() -> None:
    """List, retry and drop mail that waits."""


@queue.command("list")
@HOST
@click.option("--all", "everything", is_flag=True, help=f"Not only the first {LISTED_MAX} of each host.")
@click.option("--by-destination", is_flag=True, help="Only how much waits for each destination.")
@json_option
@click.pass_context
def list_(context: click.Context, only: str | None, everything: bool, by_destination: bool) -> None:
    """List what waits, a line per recipient."""
    from heliograph.control.desk import desk, hosts_here

    config = config_of(context)
    rows: list[dict[str, Any]] = []
    for name in hosts_here(config, only):
        with desk(config, name) as host:
            found = host.ask("queue counts")["destinations"] if by_destination else _waiting(host, everything)
            rows += [{"host": name, **row} for row in found]
    now = time.time()
    show = _count_line if by_destination else _line
    say(
        {"destinations" if by_destination else "waiting": rows},
        "\n".join(show(row, now) for row in rows) or "nothing waits",
    )


@queue.command()
@click.argument("numbers", nargs=-1, type=click.IntRange(1))
@click.option("--all", "everything", is_flag=True, help="Everything that was put off.")
@HOST
@json_option
@click.pass_context
def retry(context: click.Context, numbers: tuple[int, ...], everything: bool, only: str | None) -> None:
    """Try the messages NUMBERS again now. With several hosts on this machine, name theirs with --host."""
    from heliograph.control.desk import desk, hosts_here

    if everything == bool(numbers):
        raise CommandError(exits.USAGE, "name messages by their numbers (see `queue list`), or --all")
    config = config_of(context)
    hosts = hosts_here(config, only) if everything else [_the_host(hosts_here(config, only))]
    count = 0
    for name in hosts:
        with desk(config, name) as host:
            count += host.ask("queue retry", messages=None if everything else list(numbers))["recipients"]
    say({"recipients": count}, f"{count} recipients are tried again now")


@queue.command()
@click.argument("numbers", nargs=-1, required=True, type=click.IntRange(1))
@click.option("--silent", is_flag=True, help="Do not tell the senders.")
@HOST
@json_option
@click.pass_context
def drop(context: click.Context, numbers: tuple[int, ...], silent: bool, only: str | None) -> None:
    """Throw the messages NUMBERS away and tell their senders. With several hosts here, name theirs with --host."""
    from heliograph.control.desk import desk, hosts_here

    config = config_of(context)
    with desk(config, _the_host(hosts_here(config, only))) as host:
        answer = host.ask("queue drop", messages=list(numbers), silent=silent)
    if not answer["recipients"]:
        raise CommandError(exits.DATA, f"no such message at {answer['host']}: see `queue list`")
    say(answer, f"{answer['recipients']} recipients dropped at {answer['host']}")


def _the_host(names: list[str]) -> str:
    """Numbers are a host's own: with several hosts it must be said whose."""
    if len(names) > 1:
        raise CommandError(exits.USAGE, f"numbers are each host's own: add --host, one of {', '.join(names)}")
    return names[0]


def _waiting(host: Desk, everything: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after: dict[str, int] = {}
    while True:
        page = host.ask("queue list", **after)
        if page["waiting"] and page.get("stands"):
            note(f"{page['host']}: {page['stands']}")
        rows += page["waiting"]
        if not page["more"] or (not everything and len(rows) >= LISTED_MAX):
            return rows
        after = {"message": rows[-1]["message"], "n": rows[-1]["n"]}


def _line(row: dict[str, Any], now: float) -> str:
    wait = row["next_attempt"] - now
    when = f"in {wait:.0f} s" if row["attempts"] and wait > 0 else "now"
    said = f"  {row['reply']}" if row["reply"] else ""
    return f"{row['host']:<10} {row['message']:>8}  {row['recipient']:<40} tries {row['attempts']:<3} next {when}{said}"


def _count_line(row: dict[str, Any], now: float) -> str:
    age = now - row["oldest"]
    return (
        f"{row['host']:<10} {row['destination']:<40} fresh {row['fresh']:<7} put off {row['deferred']:<7} {age:.0f} s"
    )

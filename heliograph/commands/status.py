"""``heliograph status``: every host of this machine at a glance.

Law: it asks and changes nothing; it answers for a host that is down too, or that lives but does not answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, say
from heliograph.exits import CommandError

if TYPE_CHECKING:
    from heliograph.settings import Config

ANSWER_SECONDS_MAX = 5.0  # who looks for trouble must not wait for the host that has it


@click.command()
@click.option("--host", "only", metavar="NAME", help="Only this host.")
@json_option
@click.pass_context
def status(context: click.Context, only: str | None) -> int:
    """Tell how the hosts on this machine are. Exit code 69 where one of them is down."""
    from heliograph.desk import hosts_here

    config = config_of(context)
    rows = [_row(config, name) for name in hosts_here(config, only)]
    say({"domain": config.domain, "hosts": rows}, "\n".join(_line(row) for row in rows))
    return exits.OK if all(row["up"] for row in rows) else exits.UNAVAILABLE


def _row(config: Config, name: str) -> dict[str, Any]:
    from heliograph.desk import desk

    address = config.host(name).address
    try:
        with desk(config, name, ANSWER_SECONDS_MAX) as host:
            return {"address": address, **host.ask("status")}
    except CommandError as error:
        return {"host": name, "address": address, "up": False, "trouble": str(error)}


def _line(row: dict[str, Any]) -> str:
    if "trouble" in row:
        return f"{row['host']:<10} {row['address']:<16} {row['trouble']}"
    state = f"up, process {row.get('pid', '?')}" if row["up"] else "down"
    queue = row["queue"]
    waits = (
        f"{queue['recipients']} recipients of {queue['messages']} messages wait"
        if queue["messages"]
        else "no mail waits"
    )
    return f"{row['host']:<10} {row['address']:<16} {state:<22} zone {row['serial']:<12} {waits}"

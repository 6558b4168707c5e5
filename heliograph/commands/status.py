"""``heliograph status``: every host of this machine at a glance.

Law: it asks and changes nothing; it answers for a host that is down too.
"""

from __future__ import annotations

from typing import Any

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, say


@click.command()
@click.option("--host", "only", metavar="NAME", help="Only this host.")
@json_option
@click.pass_context
def status(context: click.Context, only: str | None) -> int:
    """Tell how the hosts on this machine are. Exit code 69 where one of them is down."""
    from heliograph.desk import desk, hosts_here

    config = config_of(context)
    rows: list[dict[str, Any]] = []
    for name in hosts_here(config, only):
        with desk(config, name) as host:
            rows.append({"address": config.host(name).address, **host.ask("status")})
    say({"domain": config.domain, "hosts": rows}, "\n".join(_line(row) for row in rows))
    return exits.OK if all(row["up"] for row in rows) else exits.UNAVAILABLE


def _line(row: dict[str, Any]) -> str:
    state = f"up, process {row.get('pid', '?')}" if row["up"] else "down"
    queue = row["queue"]
    waits = (
        f"{queue['recipients']} recipients of {queue['messages']} messages wait"
        if queue["messages"]
        else "no mail waits"
    )
    return f"{row['host']:<10} {row['address']:<16} {state:<22} zone {row['serial']:<12} {waits}"

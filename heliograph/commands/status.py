"""``heliograph status``: every host of the fabric at a glance, from any one of them.

Law: it asks and changes nothing. One running host here asks all others; a host that is down, or lives and does not
answer, is a line. Hosts of this machine are told of even while none runs.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, say
from heliograph.control.control_socket import REPEAT
from heliograph.exits import CommandError

if TYPE_CHECKING:
    from heliograph.configuration.settings import Config

OWN_SECONDS_MAX = 3.0  # who looks for trouble must not wait for the host that has it
Rows = dict[str, dict[str, Any]]


@click.command()
@click.option("--host", "only", metavar="NAME", help="Only this host.")
@json_option
@click.pass_context
def status(context: click.Context, only: str | None) -> int:
    """Tell how the fabric's hosts are. Exit code 69 where one of them is down."""
    from heliograph.control.desk import hosts_here
    from heliograph.health.screen import COLUMNS, remarks, screen

    config = config_of(context)
    found = _all(config, hosts_here(config))
    if only and only not in found:
        config.host(only)  # says which hosts there are
        raise CommandError(exits.UNAVAILABLE, f"{only} is not on this machine, and no host here runs to ask it")
    rows = [row for name, row in sorted(found.items()) if only in (None, name)]
    answer = {"domain": config.domain, "hosts": rows, "remarks": remarks(rows)}
    say(answer, screen(rows, shutil.get_terminal_size((COLUMNS, 24)).columns))
    return exits.OK if all(row["up"] for row in rows) else exits.UNAVAILABLE


def _all(config: Config, here: list[str]) -> Rows:
    """Have the first that runs ask all; what is down on this machine is looked at where it lies."""
    rows: Rows = {}
    for name in here:
        if not rows.get(name, {}).get("up"):
            own, others = _ask(config, name, survey=not any(row["up"] for row in rows.values()))
            heard = {row["host"]: row for row in others}
            rows = heard | rows | {name: own} | {host: row for host, row in heard.items() if row["up"]}
    return rows


def _ask(config: Config, name: str, *, survey: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A host's own word and, if it runs and is to ask, the others'."""
    from heliograph.control.desk import SURVEY_SECONDS_MAX, desk

    known = {"host": name, "address": config.host(name).address}
    try:
        with desk(config, name, OWN_SECONDS_MAX) as host:
            own = host.ask("status") | known
    except CommandError as error:
        return known | {"up": False, "trouble": str(error).removesuffix(REPEAT)}, []
    try:
        with desk(config, name, SURVEY_SECONDS_MAX) as host:
            return own, host.ask("survey")["hosts"] if survey and own["up"] else []
    except CommandError:  # it went down in this moment: its neighbour is asked
        return own, []

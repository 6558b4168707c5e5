"""``heliograph up`` and ``heliograph host``: the fabric at work.

Law: ``ready`` is printed, flushed and alone on its line, when every host accepts, and never before.
"""

from __future__ import annotations

import click

from heliograph.commands.frame import Commands, config_of, json_option

LIFE = click.option("--life-fd", type=int, hidden=True, help="End when the other end of this pipe is closed.")


@click.command()
@LIFE
@json_option
@click.pass_context
def up(context: click.Context, life_fd: int | None) -> int:
    """Run every host of this machine; print `ready` when all accept. SIGTERM or Ctrl-C ends them."""
    import asyncio

    from heliograph.control.desk import hosts_here
    from heliograph.up import Fleet

    config = config_of(context)
    return asyncio.run(Fleet(config.root, hosts_here(config)).run(life_fd))


class HostCommands(Commands):
    """``host NAME`` is ``host run NAME``: supervisors know it so."""

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(context, args if args[0] in self.list_commands(context) else ["run", *args])


GROWTH = {name: f"heliograph.commands.grow:{name}" for name in ("add", "drain", "remove")}
GROWTH["certify"] = "heliograph.commands.certify:certify"
GROWTH["standby"] = "heliograph.commands.standby:standby"
GROWTH |= {name: f"heliograph.commands.succession:{name}" for name in ("promote", "welcome")}


@click.group(cls=HostCommands, lazy=GROWTH)
def host() -> None:
    """Run one host: `host NAME`. Add, drain, remove one; name its standby, its heir; renew its certificates."""


@host.command()
@click.argument("name")
@click.option("--ready-fd", type=int, hidden=True, help="Write a line there when the host accepts.")
@LIFE
@json_option
@click.pass_context
def run(context: click.Context, name: str, ready_fd: int | None, life_fd: int | None) -> int:
    """Run the host NAME in the foreground. SIGTERM ends it, SIGHUP makes it read its certificates again."""
    from heliograph.host_process import run_host

    return run_host(config_of(context), name, ready_fd, life_fd)

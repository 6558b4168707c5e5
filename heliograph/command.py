"""The command ``heliograph``: its front, and the list of its commands.

Law: a command reads its arguments and prints; what it does stands in the modules that it calls.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from heliograph.commands.frame import Commands

PARTS = {
    "init": "heliograph.commands.init:init",
    "up": "heliograph.commands.run:up",
    "host": "heliograph.commands.run:host",
    "account": "heliograph.commands.account:account",
    "where": "heliograph.commands.where:where",
    "zone": "heliograph.commands.zone:zone",
    "queue": "heliograph.commands.queue:queue",
    "feed": "heliograph.commands.feed:feed",
    "app": "heliograph.commands.app:app",
    "reflector": "heliograph.commands.reflector:reflector",
    "mirror": "heliograph.commands.mirror:mirror",
    "key": "heliograph.commands.key:key",
    "bucket": "heliograph.commands.bucket:bucket",
    "backup": "heliograph.commands.backup:backup",
    "restore": "heliograph.commands.backup:restore",
    "newsletter": "heliograph.commands.newsletter:newsletter",
    "mailbox": "heliograph.commands.mailbox:mailbox",
    "rebalance": "heliograph.commands.grow:rebalance",
    "status": "heliograph.commands.status:status",
    "doctor": "heliograph.commands.doctor:doctor",
}


def _version() -> str:
    try:
        return version("heliograph")
    except PackageNotFoundError:  # run from a folder, not installed
        return "unknown"


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"heliograph {_version()}")
        context.exit()


@click.group(cls=Commands, lazy=PARTS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-C",
    "folder",
    type=click.Path(path_type=Path),
    default="var",
    envvar="HELIOGRAPH_DIR",
    metavar="DIR",
    show_default=True,
    help="The fabric's folder (or HELIOGRAPH_DIR).",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print it.")
def main(folder: Path) -> None:
    """Follow anything by e-mail, read it in any mail client, move anything by editing a DNS zone.

    Start with `heliograph init DIR`, `heliograph -C DIR account add NAME` and `heliograph -C DIR up`.
    """
    os.umask(0o077)  # whatever a host or the command writes is mail, or a secret

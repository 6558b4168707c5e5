"""``heliograph key``: the keys that mail to the outside is signed with.

Law: private keys stay in the hosts' folders; what is printed may be published.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from heliograph.commands.frame import config_of, json_option, say

if TYPE_CHECKING:
    from heliograph.configuration.settings import Config
    from heliograph.outside.seal_keeping import Change


@click.group()
def key() -> None:
    """Make, change and list the keys that mail to the outside is signed with (DKIM)."""


@key.command()
@json_option
@click.pass_context
def make(context: click.Context) -> None:
    """Make keys for the hosts on this machine that have none, and publish them."""
    from heliograph.outside import seal_keeping

    _change(context, seal_keeping.make)


@key.command()
@click.option("--now", "hurry", is_flag=True, help="Even if mail signed with the oldest keys is still on its way.")
@json_option
@click.pass_context
def rotate(context: click.Context, hurry: bool) -> None:
    """Give the hosts on this machine new keys. Those before stay published until the next time."""
    from heliograph.outside import seal_keeping

    _change(context, partial(seal_keeping.rotate, now=time.time(), hurry=hurry))


@key.command(name="list")
@json_option
@click.pass_context
def list_keys(context: click.Context) -> None:
    """List the keys of the hosts on this machine, and which of them the zone publishes."""
    from heliograph.control.desk import hosts_here
    from heliograph.outside.seals import is_published, read_seals
    from heliograph.published import published_directory

    config = config_of(context)
    dkim = published_directory(config).dkim
    rows = [
        {"host": host, "selector": seal.selector, "published": is_published(dkim, seal)}
        for host in hosts_here(config)
        for seal in read_seals(config.host_folder(host), host)
    ]
    lines = [f"{row['selector']:<24} {'published' if row['published'] else 'NOT in the zone'}" for row in rows]
    say({"keys": rows}, "\n".join(lines or ["no keys: `heliograph key make` makes them"]))


def _change(context: click.Context, act: Callable[[Config, list[str]], Change]) -> None:
    from heliograph.control.desk import hosts_here
    from heliograph.outside.seal_keeping import publish

    config = config_of(context)
    change = act(config, list(hosts_here(config)))
    written = publish(config, change)
    answer = {"zone_written": written, "add": list(change.lines), "remove": list(change.selectors)}
    if written:
        text = f"{config.zone_file}: publishes the keys; the hosts sign with them when they have that zone"
    else:
        gone = [f"; and take away {selector}._domainkey" for selector in change.selectors]
        text = "\n".join(["; the zone is not written here: add these lines to it, where it is", *change.lines, *gone])
    say(answer, text)

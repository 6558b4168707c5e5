"""``heliograph init``: a new fabric's folder.

Law: it never overwrites anything; it says what to do next.
"""

from __future__ import annotations

import ipaddress
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from heliograph import exits
from heliograph.commands.frame import json_option, say
from heliograph.exits import CommandError

if TYPE_CHECKING:
    from heliograph.configuration.settings import Ports
    from heliograph.founding.init import Wish

JOIN_HELP = "Make the folder of the host that `host add` wrote this bundle for; the other options say nothing then."


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--domain", default="fabric.test", show_default=True, help="The fabric's domain.")
@click.option("--hosts", default=1, show_default=True, type=click.IntRange(1, 256), help="How many hosts.")
@click.option(
    "--buckets",
    default=4096,
    show_default=True,
    type=click.IntRange(1, 65_536),
    help="How many buckets entities are spread over; fixed for the fabric's life.",
)
@click.option("--net", default="127.0.0.0/24", show_default=True, help="The hosts get its first addresses.")
@click.option("--postmaster", default="", metavar="NAME", help="The account that gets the operator's mail.")
@click.option("--port", "ports", multiple=True, metavar="SERVICE=NUMBER", help="A port of its own, like smtp=25.")
@click.option("--join", "bundle", type=click.Path(path_type=Path, exists=True, dir_okay=False), help=JOIN_HELP)
@json_option
def init(
    folder: Path,
    domain: str,
    hosts: int,
    buckets: int,
    net: str,
    postmaster: str,
    ports: tuple[str, ...],
    bundle: Path | None,
) -> None:
    """Make a new fabric in the folder DIR: configuration, zone, keys, certificates."""
    if bundle is not None:
        _join(bundle, folder)
        return
    import secrets

    from heliograph.configuration.config import load
    from heliograph.founding.init import plan
    from heliograph.founding.new_folder import make_folder

    wish = _wish(domain, hosts, buckets, net, postmaster, ports)
    try:
        made = plan(wish, time.time(), secrets.token_bytes)
    except ValueError as error:
        raise CommandError(exits.USAGE, str(error)) from None
    again = make_folder(folder, made.files, made.configuration)
    config = load(folder)
    answer = {
        "folder": str(config.root),
        "domain": domain,
        "buckets": buckets,
        "hosts": {host.name: host.address for host in config.hosts},
        "zone": str(config.zone_file),
        "ca": str(config.tls.ca),
        "resumed": again,
    }
    at = "" if str(folder) == "var" else f" -C {folder}"
    lines = [
        f"{config.root}: the fabric {domain}, {hosts} host{'s' if hosts > 1 else ''}, {buckets} buckets",
        f"  zone           {config.zone_file}",
        f"  configuration  {config.root / 'heliograph.toml'}",
        f"  clients trust  {config.tls.ca}",
        f"Next: heliograph{at} account add {postmaster or 'alice'}",
        f"      heliograph{at} up",
    ]
    say(answer, "\n".join(["an interrupted init was completed", *lines] if again else lines))


def _join(bundle: Path, folder: Path) -> None:
    """Make the folder of a host that was added to a fabric."""
    from heliograph.founding.joining import join

    manifest = join(bundle, folder)
    text = f"{folder.absolute()}: {manifest.host} of the fabric {manifest.domain}"
    answer = {"folder": str(folder.absolute()), "domain": manifest.domain, "host": manifest.host}
    say(answer, f"{text}; throw the bundle away, it holds its keys\nNext: heliograph -C {folder} up")


def _wish(domain: str, hosts: int, buckets: int, net: str, postmaster: str, ports: tuple[str, ...]) -> Wish:
    """Check what was typed, as the configuration will be checked when it is read."""
    from heliograph.configuration.config import DOMAIN
    from heliograph.founding.init import Wish
    from mail.address import is_entity

    if not DOMAIN.match(domain) or len(domain) > 200:
        raise CommandError(exits.USAGE, f"--domain {domain}: is no domain in lower case: write it like example.org")
    if postmaster and not is_entity(postmaster):
        raise CommandError(exits.USAGE, f"--postmaster {postmaster}: is no name for an account")
    try:
        network = ipaddress.ip_network(net)
    except ValueError as error:
        raise CommandError(exits.USAGE, f"--net {net}: {error}: write it like 127.0.0.0/24") from None
    return Wish(domain, hosts, buckets, network, postmaster, _ports(ports))


def _ports(pairs: tuple[str, ...]) -> Ports:
    from dataclasses import replace

    from heliograph.configuration.settings import Ports

    chosen: dict[str, int] = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if name not in Ports.__dataclass_fields__ or not number.isdecimal() or not 1 <= int(number) <= 65_535:
            known = ", ".join(Ports.__dataclass_fields__)
            raise CommandError(exits.USAGE, f"--port {pair}: write SERVICE=NUMBER; the services are {known}")
        chosen[name] = int(number)
    ports = replace(Ports(), **chosen)
    if len({getattr(ports, name) for name in Ports.__dataclass_fields__}) < len(Ports.__dataclass_fields__):
        raise CommandError(exits.USAGE, "--port: two services cannot have one port")
    return ports

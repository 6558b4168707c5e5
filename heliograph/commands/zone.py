"""``heliograph zone``: the zone's file, its copies, and who is its primary.

Law: a zone is judged here as the hosts judge it; what they would refuse ends with code 78.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, note, say
from heliograph.exits import CommandError

if TYPE_CHECKING:
    from heliograph.configuration.settings import Config

STATE_SECONDS_MAX = 10.0
RELOAD_SECONDS_MAX = 150.0  # a transfer is given up after two minutes


@click.group()
def zone() -> None:
    """Check, show and reload the zone; make keys; replace its primary."""


@zone.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@json_option
@click.pass_context
def lint(context: click.Context, file: Path | None) -> int:
    """Judge the zone, or FILE, as the hosts would. Exit code 78 where they would refuse it."""
    from directory import copy
    from directory.problem import errors
    from heliograph.published import judge

    config = config_of(context)
    path = file or _zone_here(config)
    kept = copy.load(config.host_folder(config.primary) / f"{config.domain}.zone", config.domain)
    found = judge(config, path, kept.file_serial if kept else None)
    faults = len(errors(found.problems))
    lines = [problem.shown(str(path)) for problem in found.problems]
    answer = {"file": str(path), "good": not faults, "problems": lines}
    say(answer, "\n".join([*lines, f"{path}: {faults} errors, {len(lines) - faults} warnings"]))
    return exits.CONFIG if faults else exits.OK


@zone.command()
@json_option
@click.pass_context
def show(context: click.Context) -> int:
    """Tell what is published, by whom, and how current the hosts on this machine are."""
    from heliograph.control.desk import hosts_here
    from heliograph.published import published_directory

    config = config_of(context)
    directory = published_directory(config)
    owned = {which: Counter(getattr(directory, which)) for which in ("timeline", "reflectors")}
    here = hosts_here(config)
    primary = f"{config.dns.primary[0]} port {config.dns.primary[1]}" if config.dns.primary else config.primary
    hosts = [
        {
            "host": name,
            "address": record.address,
            "revoked": record.key is None,
            **{which: owned[which][name] for which in owned},
            "zone": _asked(config, name, "zone state", STATE_SECONDS_MAX) if name in here else None,
        }
        for name, record in sorted(directory.hosts.items())
    ]
    lines = [f"{config.domain}, serial {directory.serial}, primary {primary}", *map(_host_line, hosts)]
    say({"domain": config.domain, "serial": directory.serial, "primary": primary, "hosts": hosts}, "\n".join(lines))
    return exits.OK


@zone.command()
@json_option
@click.pass_context
def reload(context: click.Context) -> int:
    """Have the hosts on this machine look for a newer zone now. Exit code 78 where one is refused."""
    from heliograph.control.desk import hosts_here

    config = config_of(context)
    order = sorted(hosts_here(config), key=lambda name: name != config.primary)  # the primary first: it has the news
    rows = [
        {"host": name, **(_asked(config, name, "zone reload", RELOAD_SECONDS_MAX) or {"up": False})} for name in order
    ]
    say({"hosts": rows}, "\n".join(_reload_line(row) for row in rows))
    if any(row.get("problems") for row in rows):
        return exits.CONFIG
    return exits.OK if all("serial" in row for row in rows) else exits.UNAVAILABLE


@zone.command()
@click.argument("name")
@click.option("--add", "file", type=click.Path(path_type=Path, dir_okay=False), help="Add it to FILE (mode 0600).")
def key(name: str, file: Path | None) -> None:
    """Make a TSIG key NAME and print it, as tsig-keygen does."""
    from directory import keys

    if not keys.is_key_name(name):
        raise CommandError(exits.DATA, f"{name!r}: is no name for a key: letters, digits, hyphens and dots")
    text = keys.key_text(name, os.urandom(keys.SECRET_OCTETS))
    if file is None:
        click.echo(text, nl=False)
        return
    if file.exists():
        try:
            there = keys.load(file)
        except keys.BadKeys as bad:
            raise CommandError(exits.CONFIG, str(bad)) from None
        if set(keys.read_keys(text)) & set(there):
            raise CommandError(exits.CANTCREAT, f"{file}: has a key {name} already: choose another name")
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w") as out:
        out.write(text)
    note(f"key {name} is in {file}")


@zone.command()
@click.argument("host")
@json_option
@click.pass_context
def primary(context: click.Context, host: str) -> None:
    """Make HOST the zone's primary, from its last good copy: for when the old primary is dead.

    Run it where HOST runs. The other hosts learn of it by themselves.
    """
    from heliograph.zone.primacy import succeed, write

    config = config_of(context)
    config.host(host)
    succession = succeed(config, host)
    write(config, host, succession)
    state = _asked(config, host, "zone lead", RELOAD_SECONDS_MAX)
    lines = [f"{host} is the primary, from serial {succession.serial} on; edit {config.zone_file}"]
    if state is None:
        lines.append(f"{host} did not answer: it leads when it starts")
    if succession.silent:
        lines.append(f"no answer from {', '.join(succession.silent)}: they learn of it when they are back")
    answer = {"primary": host, "serial": succession.serial, "silent": list(succession.silent), "state": state}
    say(answer, "\n".join(lines))


def _zone_here(config: Config) -> Path:
    """The live zone; with a foreign primary what a host here has of it."""
    here = [config.host_folder(host.name) / f"{config.domain}.zone" for host in config.hosts]
    paths = [path for path in (here if config.dns.primary else [config.zone_file]) if path.is_file()]
    if not paths:
        text = f"{config.zone_file}: is not on this machine: name a file, or run this where the zone is"
        raise CommandError(exits.NOINPUT, text)
    return paths[0]


def _asked(config: Config, name: str, act: str, seconds_max: float) -> dict[str, Any] | None:
    """Ask a running host; None where it is down, or stands still, which must not hide how the others are."""
    from heliograph.control.control_socket import ControlClient, NotRunning

    try:
        with closing(ControlClient(config.host_folder(name), seconds_max)) as client:
            return client.ask(act)
    except NotRunning:
        return None
    except CommandError as error:
        if error.code != exits.TEMPFAIL:
            raise
        note(f"{name}: {error}")
        return None


def _host_line(row: dict[str, Any]) -> str:
    state = row["zone"]
    told = "" if state is None else f"serves {state['serial']}" + (" as the primary" if state["primary"] else "")
    wrong = "".join(f"\n  {text}" for text in (state or {}).get("problems", []) + (state or {}).get("warnings", []))
    revoked = "revoked  " if row["revoked"] else ""
    counts = f"{row['timeline']:>6} timeline {row['reflectors']:>6} reflectors"
    return f"{row['host']:<10} {row['address']:<16} {counts}  {revoked}{told}".rstrip() + wrong


def _reload_line(row: dict[str, Any]) -> str:
    if "serial" not in row:
        return f"{row['host']:<10} down"
    texts = "".join(f"\n  {text}" for text in row["problems"] + row["warnings"])
    return f"{row['host']:<10} serves {row['serial']}{texts}"

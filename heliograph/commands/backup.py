"""``heliograph backup`` and ``heliograph restore``: a host in one file, and back from it.

Law: a backup is made while mail flows; a restore takes the place of nothing, and says what was lost.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from heliograph import exits
from heliograph.commands.frame import config_of, folder_of, json_option, say
from heliograph.exits import CommandError


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--host", "only", metavar="NAME", help="Which host, where several are on this machine.")
@json_option
@click.pass_context
def backup(context: click.Context, file: Path, only: str | None) -> None:
    """Write a host with all its mail, keys and configuration to the new file FILE, while it runs."""
    from heliograph.backup.making import make_backup
    from heliograph.control.desk import hosts_here

    config = config_of(context)
    names = hosts_here(config, only)
    if len(names) > 1:
        raise CommandError(exits.USAGE, f"a file holds one host: add --host, one of {', '.join(names)}")
    path = file.absolute()
    manifest = make_backup(config, names[0], path, time.time(), _progress)
    octets = path.stat().st_size
    answer = {"file": str(path), "host": names[0], "octets": octets, "files": dict(manifest.files)}
    text = f"{path}: {names[0]} in {octets / 1e6:.1f} MB, read again and found whole. It holds keys: keep it safe"
    say(answer, text)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def restore(context: click.Context, file: Path) -> None:
    """Bring a host back from a backup, into the fabric's folder that -C names. Nothing there is written over."""
    from heliograph.backup.restoring import restore as bring_back
    from heliograph.configuration.config import load
    from heliograph.configuration.settings import FILE_NAME

    root = folder_of(context).absolute()
    domain = load(root).domain if (root / FILE_NAME).exists() else None
    done = bring_back(file.absolute(), root, domain, time.time())
    host = done.manifest.host
    made = datetime.fromtimestamp(done.manifest.made_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    answer = {
        "host": host,
        "folder": str(root),
        "made_at": done.manifest.made_at,
        "folders": done.folders,
        "sources": done.sources,
        "left_alone": list(done.left_alone),
    }
    lines = [f"{root}: {host} as it was at {made}. What came after that is not here"]
    lines += [f"  left as it was  {name}" for name in done.left_alone]
    say(answer, "\n".join([*lines, f"Next: heliograph -C {root} up", f"      heliograph -C {root} status"]))


def _progress(done: int, whole: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{100 * done // max(whole, 1):3d} % of the database", err=True, nl=done >= whole)

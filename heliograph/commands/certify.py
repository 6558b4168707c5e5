"""``heliograph host certify``: new certificates for hosts, before the old ones expire.

Law: it needs the fabric's CA key, which may go away again afterwards; no key of a host is changed.
"""

from __future__ import annotations

import time

import click

from heliograph.commands.frame import config_of, json_option, say


@click.command()
@click.argument("names", nargs=-1)
@json_option
@click.pass_context
def certify(context: click.Context, names: tuple[str, ...]) -> None:
    """Renew the certificates of the hosts NAMES, by default of all on this machine; tls/ca.key must be here."""
    from heliograph.control.desk import hosts_here
    from heliograph.founding.certifying import certify as renew

    config, now = config_of(context), time.time()
    made = {name: [str(path) for path in renew(config, name, now)] for name in names or hosts_here(config)}
    lines = [f"{name}: {path}" for name, paths in made.items() for path in paths]
    say({"hosts": made}, "\n".join([*lines, "Next: send `up`, or the hosts, SIGHUP: then they show them"]))

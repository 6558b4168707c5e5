"""``heliograph mirror``: sources of other fabrics that are followed here, and the fabrics that follow ours.

Law: people begin and end mirrors by mail; the operator looks.
"""

from __future__ import annotations

import time
from typing import Any

import click

from heliograph.commands.frame import config_of, json_option, say


@click.group()
def mirror() -> None:
    """Show what is followed across fabrics, both ways."""


@mirror.command("list")
@json_option
@click.pass_context
def list_(context: click.Context) -> None:
    """List the sources of other fabrics that people follow here."""
    from heliograph.control.desk import every_row

    rows = every_row(config_of(context), "mirror list", "mirrors", "mirror")
    lines = [f"{row['host']:<10} {row['source']:<40} {row['state']:<10} {_asked(row)}" for row in rows]
    say({"mirrors": rows}, "\n".join(lines) or "no mirrors")


@mirror.command()
@json_option
@click.pass_context
def fabrics(context: click.Context) -> None:
    """List the fabrics that have asked for posts of our sources."""
    from heliograph.control.desk import every_row

    rows = every_row(config_of(context), "mirror fabrics", "fabrics", "name")
    lines = [f"{row['host']:<10} {row['source']:<30} {row['fabric']:<30} {_asked(row)}" for row in rows]
    say({"fabrics": rows}, "\n".join(lines) or "no other fabric")


def _asked(row: dict[str, Any]) -> str:
    return f"asked {time.strftime('%Y-%m-%d %H:%M', time.localtime(row['asked']))}"

"""``heliograph newsletter``: addresses that people give to newsletters.

Law: people make them by mail; the operator makes, lists and drops them for those who ask.
"""

from __future__ import annotations

import base64
import os
import time
from typing import Any

import click

from heliograph.commands.frame import config_of, json_option, say
from heliograph.commands.whose import entity_of, owner_of

TOKEN_OCTETS = 15  # 24 characters, as those that are made by mail


@click.group()
def newsletter() -> None:
    """Make, list and drop addresses for newsletters."""


@newsletter.command()
@click.argument("account")
@click.argument("name")
@click.option("--folder", default="", help="Where its issues go; without it, a folder of its name.")
@json_option
@click.pass_context
def add(context: click.Context, account: str, name: str, folder: str) -> None:
    """Print an address that ACCOUNT gives to the newsletter NAME."""
    from heliograph.control.desk import desk

    config = config_of(context)
    entity, token = entity_of(config, account), base64.b32encode(os.urandom(TOKEN_OCTETS)).decode().lower()
    with desk(config, owner_of(config, entity)) as host:
        answer = host.ask("newsletter add", account=entity, name=name, token=token, folder=folder)
    say(answer, answer["address"])


@newsletter.command()
@click.argument("account")
@click.argument("name")
@json_option
@click.pass_context
def drop(context: click.Context, account: str, name: str) -> None:
    """Take no more mail for the newsletter NAME of ACCOUNT. What came stays."""
    from heliograph.control.desk import desk

    config = config_of(context)
    entity = entity_of(config, account)
    with desk(config, owner_of(config, entity)) as host:
        answer = host.ask("newsletter drop", account=entity, name=name)
    say(answer, f"{answer['address']} takes no more mail")


@newsletter.command("list")
@json_option
@click.pass_context
def list_(context: click.Context) -> None:
    """List the addresses of the hosts on this machine."""
    from heliograph.control.desk import every_row

    rows = every_row(config_of(context), "newsletter list", "newsletters", "source")
    say({"newsletters": rows}, "\n".join(map(_line, rows)) or "no newsletters")


def _line(row: dict[str, Any]) -> str:
    last = time.strftime("%Y-%m-%d %H:%M", time.localtime(row["last_at"])) if row["last_at"] else "nothing yet"
    return f"{row['name']:<30} {row['address']:<60} {last}"

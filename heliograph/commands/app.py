"""``heliograph app``: programs that post.

Law: a token is printed once, by the command that made it; the host only ever sees its fingerprint.
"""

from __future__ import annotations

import os
from typing import Any

import click

from heliograph.commands.frame import config_of, json_option, note, say
from heliograph.commands.whose import entity_of, owner_of


@click.group()
def app() -> None:
    """Add, list and revoke programs that post; give them new tokens."""


@app.command()
@click.argument("name")
@click.option("--owner", required=True, metavar="ACCOUNT", help="Who answers for it, and gets what comes back.")
@click.option("--title", default="", help="What its followers read as its name.")
@json_option
@click.pass_context
def add(context: click.Context, name: str, owner: str, title: str) -> None:
    """Let there be the source NAME, and print the token with which a program posts to it."""
    from heliograph.control.desk import desk
    from ingest.applications import fingerprint, new_token

    config = config_of(context)
    entity, person, token = entity_of(config, name), entity_of(config, owner), new_token(os.urandom)
    with desk(config, owner_of(config, person)) as host:
        host.ask("account usage", name=person)  # a name that was typed wrong is found now
    with desk(config, owner_of(config, entity, "reflectors")) as host:
        answer = host.ask("app add", name=entity, owner=person, title=title, token=fingerprint(token).hex())
    _tell(answer, token, config.names.reflector(entity))


@app.command()
@click.argument("name")
@json_option
@click.pass_context
def rotate(context: click.Context, name: str) -> None:
    """Print a new token for the application NAME; the old one opens nothing any more."""
    from heliograph.control.desk import desk
    from ingest.applications import fingerprint, new_token

    config = config_of(context)
    entity, token = entity_of(config, name), new_token(os.urandom)
    with desk(config, owner_of(config, entity, "reflectors")) as host:
        answer = host.ask("app rotate", name=entity, token=fingerprint(token).hex())
    _tell(answer, token, config.names.reflector(entity))


@app.command()
@click.argument("name")
@json_option
@click.pass_context
def revoke(context: click.Context, name: str) -> None:
    """Take the token of the application NAME back. Its source stays, with its followers."""
    from heliograph.control.desk import desk

    config = config_of(context)
    entity = entity_of(config, name)
    with desk(config, owner_of(config, entity, "reflectors")) as host:
        answer = host.ask("app revoke", name=entity)
    say(answer, f"{entity} posts no more")


@app.command("list")
@json_option
@click.pass_context
def list_(context: click.Context) -> None:
    """List the applications of the hosts on this machine."""
    from heliograph.control.desk import every_row

    rows = every_row(config_of(context), "app list", "applications", "name")
    rows.sort(key=lambda row: row["name"])
    lines = [f"{row['name']:<30} {row['owner']:<30} {row['title']}" for row in rows]
    say({"applications": rows}, "\n".join(lines) or "no applications")


def _tell(answer: dict[str, Any], token: str, address: str) -> None:
    note(f"{address} is posted to with this token, which is shown only now:")
    say({**answer, "address": address, "token": token}, token)

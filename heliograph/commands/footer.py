"""``heliograph reflector footer``: what stands under a source's posts in mailboxes outside.

Law: without an option it only shows. Owners do the same by mail.
"""

from __future__ import annotations

from typing import TextIO

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, say
from heliograph.exits import CommandError

READ_CHARACTERS_MAX = 65_536  # of a file: what is beyond is told of by its size, whatever was named by mistake


@click.command()
@click.argument("name")
@click.option("--text", metavar="TEXT", help="The words.")
@click.option(
    "--file",
    "file",
    type=click.File(encoding="utf-8", errors="replace"),
    help="A file that has them; -: standard input.",
)
@click.option("--none", is_flag=True, help="Take it away.")
@json_option
@click.pass_context
def footer(context: click.Context, name: str, text: str | None, file: TextIO | None, none: bool) -> None:
    """Show the footer of the source NAME, or change it for all posts from now on.

    It stands under what goes to mailboxes outside; %unsubscribe% in it is each reader's own way to leave.
    """
    from heliograph.commands.whose import entity_of, owner_of
    from heliograph.control.desk import desk

    config = config_of(context)
    source = entity_of(config, name.removesuffix(f"@reflectors.{config.domain}"))
    if (text is not None) + (file is not None) + none > 1:
        raise CommandError(exits.USAGE, "one of --text, --file and --none at most")
    words = "" if none else file.read(READ_CHARACTERS_MAX) if file else text
    if words is not None and not none and not words.strip():
        raise CommandError(exits.DATA, "there are no words in it: --none takes a footer away")
    with desk(config, owner_of(config, source, "reflectors")) as host:
        if words is None:
            answer = host.ask("reflector footer", name=source)
        else:
            answer = host.ask("reflector set-footer", name=source, words=words)
    say(answer, answer["footer"] or f"{source} has no footer")

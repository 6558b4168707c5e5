"""``heliograph feed import`` and ``export``: lists of feeds, as feed readers exchange them.

Law: an import can be repeated; nobody is made to follow anything but by the operator's word for that account.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, note, say
from heliograph.commands.whose import entity_of, owner_of
from heliograph.exits import CommandError

if TYPE_CHECKING:
    from heliograph.configuration.settings import Config

ROWS_AT_ONCE = 100  # each is a mail: some tens of milliseconds of the host's writer


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--follower", required=True, metavar="ACCOUNT", help="Who follows the feeds from now on.")
@click.option("--folder", default="", help="Where posts go; without it, where the list says.")
@json_option
@click.pass_context
def import_(context: click.Context, file: Path, follower: str, folder: str) -> None:
    """Let ACCOUNT follow the feeds of an OPML file (- for standard input).

    What is followed already stays so. What cannot be read is told to ACCOUNT by mail.
    """
    from heliograph.control.desk import desk
    from ingest.opml import NoOpml, read_opml

    config = config_of(context)
    entity = entity_of(config, follower)
    try:
        with click.open_file(str(file), "rb") as opened:
            outlines = read_opml(opened.read())
    except OSError as error:
        raise CommandError(exits.NOINPUT, f"{file}: {error.strerror}: name a file that can be read") from None
    except NoOpml as error:
        raise CommandError(exits.DATA, f"{file}: {error}") from None
    rows = [[each.url, folder or each.folder] for each in outlines]
    total: dict[str, Any] = {"account": entity, "asked": 0, "bad": []}
    with desk(config, owner_of(config, entity)) as host:
        for start in range(0, len(rows), ROWS_AT_ONCE):
            answer = host.ask("feed import", name=entity, rows=rows[start : start + ROWS_AT_ONCE])
            total["asked"], total["bad"] = total["asked"] + answer["asked"], total["bad"] + answer["bad"]
    for each in total["bad"]:
        note(f"{each['url']}: {each['reason']}")
    say(total, f"{total['asked']} feeds are asked for, in the name of {entity}")


@click.command()
@click.option("--follower", metavar="ACCOUNT", help="Only what ACCOUNT follows, in its folders.")
@click.pass_context
def export(context: click.Context, follower: str | None) -> None:
    """Print the feeds that the hosts on this machine poll, as OPML."""
    from heliograph.control.desk import every_row
    from ingest.opml import Outline, write_opml

    config = config_of(context)
    folders = _folders(config, entity_of(config, follower)) if follower else None
    outlines = [
        Outline(row["url"], row["title"], _shown(folders[row["source"]]) if folders else "")
        for row in every_row(config, "feed list", "feeds", "source")
        if folders is None or row["source"] in folders
    ]
    title = f"Feeds of {follower or config.domain}"
    click.echo(write_opml(title, outlines), nl=False)


def _folders(config: Config, entity: str) -> dict[str, str]:
    from heliograph.control.desk import desk

    with desk(config, owner_of(config, entity)) as host:
        found: dict[str, str] = host.ask("feed followed", name=entity)["follows"]
    return found


def _shown(folder: str) -> str:
    return "" if folder == "INBOX" else folder

"""``heliograph account quota|retention|recount``: how much is kept, and for how long.

Law: what is typed wrong is refused before a host is asked; without options the commands only show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, say
from heliograph.commands.whose import entity_of, owner_of
from heliograph.configuration.sizes import NONE, read_size, show_size
from heliograph.exits import CommandError

if TYPE_CHECKING:
    from heliograph.configuration.settings import Config

USUAL = "default"  # what the configuration says
ACCOUNTS_AT_ONCE = 100


@click.command()
@click.argument("name")
@click.argument("size", required=False)
@click.option("--messages", metavar="N", help="How many messages; none: any number, default: as configured.")
@json_option
@click.pass_context
def quota(context: click.Context, name: str, size: str | None, messages: str | None) -> None:
    """Show what the account NAME keeps, or set what it may keep: SIZE is like 2G, none, or default."""
    from heliograph.control.desk import desk

    config = config_of(context)
    entity = entity_of(config, name)
    changes = _told("octets", size, read_size) | _told("messages", messages, _read_count)
    with desk(config, owner_of(config, entity)) as host:
        answer = host.ask("account quota", name=entity, changes=changes) if changes else None
        answer = answer or host.ask("account usage", name=entity)
    say(answer, _kept(config, answer))


@click.command()
@click.argument("name")
@click.argument("folder")
@click.option("--days", metavar="N", help="How long messages stay; none: for ever, default: as configured.")
@click.option("--messages", metavar="N", help="How many stay, the newest; none: all.")
@json_option
@click.pass_context
def retention(context: click.Context, name: str, folder: str, days: str | None, messages: str | None) -> None:
    """Show or set what FOLDER of the account NAME keeps. Flagged messages always stay."""
    from heliograph.control.desk import desk

    config = config_of(context)
    entity = entity_of(config, name)
    changes = _told("days", days, _read_count) | _told("messages", messages, _read_count)
    with desk(config, owner_of(config, entity)) as host:
        answer = host.ask("account retention", name=entity, folder=folder, changes=changes)
    shown = (f"{what} {_shown(answer[what])}" for what in ("days", "messages"))
    say(answer, f"{entity}, {folder}: {', '.join(shown)}; flagged messages stay")


@click.command()
@click.argument("name")
@click.argument("keeper", type=click.Choice(["client", "host"]))
@json_option
@click.pass_context
def sent(context: click.Context, name: str, keeper: str) -> None:
    """Say who keeps a copy of what the account NAME sends: its mail client (so it is unless set), or the host."""
    from heliograph.control.desk import desk

    config = config_of(context)
    entity = entity_of(config, name)
    with desk(config, owner_of(config, entity)) as host:
        answer = host.ask("account sent", name=entity, host=keeper == "host")
    say(answer, f"the {keeper} keeps what {entity} sends")


@click.command()
@json_option
@click.pass_context
def recount(context: click.Context) -> None:
    """Count anew what every account keeps, on the hosts of this machine."""
    from heliograph.control.bulk import miscounted
    from heliograph.control.desk import desk, hosts_here

    config = config_of(context)
    total = 0
    for name in hosts_here(config):
        with desk(config, name) as host:
            wrong = miscounted(host)
            for at in range(0, len(wrong), ACCOUNTS_AT_ONCE):
                total += host.ask("account recount", names=wrong[at : at + ACCOUNTS_AT_ONCE])["recounted"]
    say({"recounted": total}, f"{total} accounts were counted wrongly, and are counted rightly now")


def _told(key: str, text: str | None, read: Callable[[str], int]) -> dict[str, int | None]:
    """What was said of one limit: nothing, that the configuration's holds, or a number (0: none)."""
    if text is None:
        return {}
    try:
        return {key: None if text == USUAL else read(text)}
    except ValueError as wrong:
        raise CommandError(exits.DATA, f"{wrong}, or {USUAL!r}") from None


def _read_count(text: str) -> int:
    if text == NONE:
        return 0
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31):
        raise ValueError(f"{text!r} is no number: write it like 30, {NONE!r}")
    return int(text)


def _kept(config: Config, answer: dict[str, Any]) -> str:
    usual = config.mailboxes.quota
    octets = usual.octets if answer["octets_max"] is None else answer["octets_max"]
    messages = usual.messages if answer["messages_max"] is None else answer["messages_max"]
    limits = f"{show_size(octets)}, {messages or 'any number of'} messages"
    return f"{answer['account']} keeps {answer['octets']} octets in {answer['messages']} messages; may keep {limits}"


def _shown(value: int | None) -> str:
    return "as configured" if value is None else str(value or NONE)

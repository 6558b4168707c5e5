"""``heliograph mailbox``: folders of mailboxes elsewhere, read over IMAP, as sources.

Law: a password is asked for or read from a file, tried, and sealed here with the key of the host that keeps it; it
stands on no command line, and crosses no socket but that of its own server.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from typing import TYPE_CHECKING, Any

import click

from heliograph import exits
from heliograph.commands.frame import NEVER, config_of, json_option, lines_of, note, say
from heliograph.commands.whose import entity_of, owner_of
from heliograph.exits import CommandError

if TYPE_CHECKING:
    from heliograph.configuration.settings import Config
    from ingest.mailboxes.place import Place

NAMES_TRIED_MAX = 500  # a host of a large fabric has one bucket in a hundred
SLUG_CHARACTERS_MAX = 23  # with a dash and six characters: 30, an entity's most

_password = click.option("--password-file", metavar="FILE", help="Read the password from FILE (- for standard input).")
_check = click.option("--check/--no-check", default=True, help="Try it first (the default).")


@click.group()
def mailbox() -> None:
    """Read folders of mailboxes elsewhere; list, show, suspend and remove them."""


@mailbox.command()
@click.argument("account")
@click.argument("url", metavar="IMAPS-URL")
@click.option("--name", default="", help="The name of the source; without it, one that nobody guesses.")
@click.option("--title", default="", help="What its followers read as its name; without it, the folder's.")
@click.option("--folder", default="", help="Where ACCOUNT gets its posts; without it, a folder of its title.")
@_password
@_check
@json_option
@click.pass_context
def add(
    context: click.Context,
    account: str,
    url: str,
    name: str,
    title: str,
    folder: str,
    password_file: str | None,
    check: bool,
) -> None:
    """Read a folder (imaps://user@host/folder) for ACCOUNT, who follows it and answers for it.

    Nothing is changed over there. Its newest three messages come at once, then all that come.
    """
    from heliograph.control.desk import desk

    config = config_of(context)
    person, place = entity_of(config, account), _place(url)
    source = entity_of(config, name) if name else _free_name(config, place)
    host = owner_of(config, source, "reflectors")
    with desk(config, owner_of(config, person)) as home:
        home.ask("account usage", name=person)  # a name that was typed wrong is found now
    secret = _sealed(config, host, source, place, password_file, check=check)
    shown = title or (place.folder if place.folder != "INBOX" else f"Mail of {place.user}")
    with desk(config, host) as there:
        answer = there.ask(
            "mailbox add",
            name=source,
            owner=person,
            url=place.text,
            title=shown[:100],
            folder=folder or shown.replace("/", "-"),
            secret=secret,
        )
    say(answer, f"{answer['address']} is what comes to {answer['url']}")


@mailbox.command()
@click.argument("source")
@_password
@_check
@json_option
@click.pass_context
def password(context: click.Context, source: str, password_file: str | None, check: bool) -> None:
    """Give a new password for SOURCE's mailbox."""
    from heliograph.control.desk import desk

    config = config_of(context)
    row = _find(config, source)
    secret = _sealed(config, row["host"], source, _place(row["url"]), password_file, check=check)
    with desk(config, row["host"]) as host:
        answer = host.ask("mailbox password", name=source, secret=secret)
    say(answer, f"{row['host']} reads {row['url']} with it")


@mailbox.command("list")
@json_option
@click.pass_context
def list_(context: click.Context) -> None:
    """List the mailboxes that the hosts on this machine read."""
    from heliograph.control.desk import every_row

    rows = every_row(config_of(context), "mailbox list", "mailboxes", "source")
    now = time.time()
    say({"mailboxes": rows}, "\n".join(_line(row, now) for row in rows) or "no mailboxes")


@mailbox.command()
@click.argument("source")
@json_option
@click.pass_context
def show(context: click.Context, source: str) -> None:
    """Show one mailbox."""
    row = _find(config_of(context), source)
    say(row, lines_of(row))


def _simple(what: str, done: str, help_: str) -> None:
    @mailbox.command(what, help=help_)
    @click.argument("source")
    @json_option
    @click.pass_context
    def command(context: click.Context, source: str) -> None:
        from heliograph.control.desk import desk

        config = config_of(context)
        row = _find(config, source)
        with desk(config, row["host"]) as host:
            answer = host.ask(f"mailbox {what}", name=source)
        if not answer["found"]:
            raise CommandError(exits.UNAVAILABLE, f"{source}: nothing was changed: it is {row['standing'] or 'read'}")
        say({"host": row["host"], "source": source}, f"{row['host']} {done.format(source=source)}")


_simple("poll", "looks into {source} now", "Look into SOURCE's mailbox now.")
_simple("suspend", "looks into {source} no more", "Look into SOURCE's mailbox no more, until it is resumed.")
_simple("resume", "looks into {source} again", "Look into SOURCE's suspended mailbox again.")
_simple("remove", "forgot how to read {source}", "Forget SOURCE's mailbox and its password; what was posted stays.")


def _place(url: str) -> Place:
    from ingest.mailboxes.place import BadPlace, place_of

    try:
        return place_of(url)
    except BadPlace as error:
        shown = re.sub(r":[^:@/]*@", ":...@", url)  # it may hold a password
        raise CommandError(exits.DATA, f"{shown}: {error}") from None


def _free_name(config: Config, place: Place) -> str:
    """Return a name that nobody guesses, since whoever knows it can follow, of a host on this machine."""
    for _ in range(NAMES_TRIED_MAX):
        name = _random_name(place)
        with contextlib.suppress(CommandError):
            owner_of(config, name, "reflectors")
            return name
    raise CommandError(exits.UNAVAILABLE, "no host on this machine serves lists: run this where one does")


def _random_name(place: Place) -> str:
    import base64

    words = re.sub(r"[^a-z0-9]+", "-", f"{place.folder} {place.host}".lower()).strip("-")[:SLUG_CHARACTERS_MAX]
    end = base64.b32encode(os.urandom(5)).decode().lower()[:6]
    return f"{words.strip('-') or 'mailbox'}-{end}"


def _sealed(config: Config, host: str, source: str, place: Place, file: str | None, *, check: bool) -> str:
    """Get a password, try it, and seal it for the host that keeps it."""
    from heliograph.keys import TOKEN_KEY, read_key
    from heliograph.mailbox_trial import why_not
    from heliograph.passwords import new_password
    from ingest.mailboxes.vault import Vault

    found = new_password(f"{place.user} at {place.host}", file)
    if check:
        if failed := why_not(config, place, found):
            raise CommandError(exits.UNAVAILABLE, f"{place.text}: {failed} (--no-check adds it all the same)")
        note(f"{place.host} lets us read {place.folder}")
    return Vault(read_key(config, host, TOKEN_KEY)).seal(found, source).hex()


def _find(config: Config, source: str) -> dict[str, Any]:
    """Return what the host says that looks into it."""
    from heliograph.control.desk import desk, hosts_here

    for name in hosts_here(config):
        with desk(config, name) as host:
            if found := host.ask("mailbox show", name=source)["mailbox"]:
                return {"host": name, **found}
    raise CommandError(exits.NOUSER, f"{source}: no host on this machine reads a mailbox for it: see `mailbox list`")


def _line(row: dict[str, Any], now: float) -> str:
    due = f"due in {max(0, row['next_due'] - now):>6.0f} s" if row["next_due"] < NEVER else f"{'not due':>15}"
    answer = f"  ({row['last_answer']})" if row["last_answer"] else ""
    return f"{row['host']:<10} {row['source']:<31} {due}  {row['url']}{answer}  {row['standing']}"

"""``heliograph account``: who may sign in.

Law: an account is made at the host that owns its bucket; the command finds that host by the zone.
"""

from __future__ import annotations

from pathlib import Path

import click

from heliograph import exits
from heliograph.commands.frame import config_of, json_option, note, say
from heliograph.commands.keeping import quota, recount, retention, sent
from heliograph.commands.whose import entity_of, owner_of
from heliograph.exits import CommandError

PASSWORD_FILE = click.option(
    "--password-file", metavar="FILE", help="Read the password from FILE (- for standard input); its last newline goes."
)


@click.group()
def account() -> None:
    """Add, import, list and remove accounts; set passwords, and what is kept."""


@account.command()
@click.argument("name")
@PASSWORD_FILE
@click.option("--title", default="", help="What the person's followers read as the list's name.")
@json_option
@click.pass_context
def add(context: click.Context, name: str, password_file: str | None, title: str) -> None:
    """Add the account NAME. The password is asked for."""
    from heliograph.control.desk import desk
    from heliograph.passwords import new_password
    from mailbox_host.passwords import hash_password

    config = config_of(context)
    entity = entity_of(config, name)
    owner = owner_of(config, entity)
    hashed = hash_password(new_password(entity, password_file))
    with desk(config, owner) as host:
        answer = host.ask("account add", name=entity, hash=hashed, title=title)
    answer["address"] = f"{entity}@{config.domain}"
    say(answer, f"{answer['address']} has an account at {owner}")


@account.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@json_option
@click.pass_context
def import_(context: click.Context, file: Path) -> None:
    """Add accounts with hashed passwords from FILE (- for standard input).

    Lines read name:hash, as in Dovecot's passwd-file, or {"name": "...", "hash": "..."}; hashes begin with $argon2id$.
    Accounts that are there already stay as they are.
    """
    from heliograph.account_file import read_accounts
    from heliograph.control.bulk import import_rows

    config = config_of(context)
    try:
        with click.open_file(str(file), encoding="utf-8") as lines:
            rows = read_accounts(lines, config.domain, str(file))
    except OSError as error:
        raise CommandError(exits.NOINPUT, f"{file}: {error.strerror}: name a file that can be read") from None
    except UnicodeDecodeError:
        raise CommandError(exits.DATA, f"{file}: is not UTF-8: nothing was imported") from None
    answer = import_rows(config, rows)
    say(answer, f"{answer['added']} accounts added, {answer['present']} were there already")


@account.command("list")
@click.option("--host", "only", metavar="NAME", help="Only the accounts of this host.")
@json_option
@click.pass_context
def list_(context: click.Context, only: str | None) -> None:
    """List the accounts of the hosts on this machine."""
    from heliograph.control.desk import every_row

    rows = every_row(config_of(context), "account list", "accounts", "account", only)
    rows.sort(key=lambda row: row["account"])
    say({"accounts": rows}, "\n".join(f"{row['account']:<30} {row['host']}" for row in rows) or "no accounts")


@account.command()
@click.argument("name")
@PASSWORD_FILE
@json_option
@click.pass_context
def passwd(context: click.Context, name: str, password_file: str | None) -> None:
    """Set the password of the account NAME. It is asked for."""
    from heliograph.control.desk import desk
    from heliograph.passwords import new_password
    from mailbox_host.passwords import hash_password

    config = config_of(context)
    entity = entity_of(config, name)
    hashed = hash_password(new_password(entity, password_file))
    with desk(config, owner_of(config, entity)) as host:
        answer = host.ask("account passwd", name=entity, hash=hashed)
    say(answer, f"{entity} has a new password")


@account.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def remove(context: click.Context, name: str, yes: bool) -> None:
    """Remove the account NAME, its mail and its list of followers."""
    from heliograph.control.desk import desk

    config = config_of(context)
    entity = entity_of(config, name)
    if not yes:
        note(f"All mail of {entity}@{config.domain} and the list of followers will be gone.")
        if not click.confirm("Remove the account?", err=True):
            raise CommandError(exits.USAGE, "nothing was removed")
    with desk(config, owner_of(config, entity)) as host:
        answer = host.ask("account remove", name=entity)
    say(answer, f"{entity} is removed")


for command in (quota, retention, sent, recount):
    account.add_command(command)

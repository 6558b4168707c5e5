"""What every command shares: the fabric's folder, ``--json``, and how errors become exit codes.

Law: standard output carries the answer and nothing else; with ``--json`` it is one JSON object, also for an error.
Messages for people go to standard error.
"""

from __future__ import annotations

import errno
import importlib
import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from heliograph import exits
from heliograph.exits import CommandError

if TYPE_CHECKING:
    from heliograph.configuration.settings import Config

F = TypeVar("F", bound=Callable[..., Any])

NEVER = 1e12  # the moment of what does not come
INTERRUPTED = 130  # 128 + SIGINT, as a shell counts
SQLITE_FULL = 13  # sqlite3.SQLITE_FULL: to import sqlite3 here would make every --help wait for it
_NOTHING_TYPED = click.exceptions.NoArgsIsHelpError  # its message is the whole help, which needs no usage line before


def json_option(command: F) -> F:
    """Give a command ``--json``; `say` follows it."""

    def keep(context: click.Context, _: click.Parameter, value: bool) -> None:
        context.find_root().meta["json"] = value or context.find_root().meta.get("json", False)

    return click.option("--json", is_flag=True, expose_value=False, callback=keep, help="Answer in JSON.")(command)


def say(answer: Mapping[str, Any], text: str) -> None:
    """Print the answer: as JSON where asked for, as text otherwise."""
    as_json = click.get_current_context().find_root().meta.get("json")
    click.echo(json.dumps(answer, ensure_ascii=False) if as_json else text)


def note(text: str) -> None:
    """Tell a person something beside the answer."""
    click.echo(text, err=True)


def lines_of(row: Mapping[str, Any]) -> str:
    """Write a row of the database for a person, a line for each of its values."""
    return "\n".join(f"{name:<14}{_readable(name, value)}" for name, value in row.items())


def _readable(name: str, value: Any) -> str:
    """A moment is a date, a span is whole seconds, and what is not known is not -1."""
    if name == "next_due" or name.endswith("_at"):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value)) if 0 < value < NEVER else "never"
    if isinstance(value, float):
        return f"{value:.0f} s"
    return "not known yet" if value == -1 else str(value)


def config_of(context: click.Context) -> Config:
    """Read the configuration of the folder that -C names."""
    from heliograph.configuration.config import load

    return load(folder_of(context))


def folder_of(context: click.Context) -> Path:
    folder: Path = context.find_root().params["folder"]
    return folder


class Commands(click.Group):
    """A group whose commands are imported when they are needed, and whose errors end as sysexits codes."""

    def __init__(self, *args: Any, lazy: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = dict(lazy or {})

    def list_commands(self, context: click.Context) -> list[str]:
        return [*self._lazy, *super().list_commands(context)]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self._lazy:
            return super().get_command(context, name)
        module, _, attribute = self._lazy[name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run to the process's end."""
        kwargs["standalone_mode"] = False
        arguments = kwargs.get("args") or (args[0] if args else None) or sys.argv[1:]
        try:
            result = super().main(*args, **kwargs)
            code = result if isinstance(result, int) else exits.OK
        except click.exceptions.Exit as error:
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            note("interrupted")
            code = INTERRUPTED
        except BrokenPipeError:  # the reader of our output had enough
            sys.stderr.close()
            code = exits.OK
        except Exception as error:
            code = _told(error, "--json" in arguments)
        sys.exit(code)


def _told(error: Exception, as_json: bool) -> int:
    """Tell of an error and return its code; a fault of ours comes with its traceback."""
    code = _code_of(error)
    text = _text_of(error)
    if code is None:
        traceback.print_exception(error)
        code, text = exits.SOFTWARE, f"a fault of ours: {text}"
    if isinstance(error, click.UsageError) and error.ctx is not None and not isinstance(error, _NOTHING_TYPED):
        note(error.ctx.get_usage())
    note(text if isinstance(error, _NOTHING_TYPED) else f"heliograph: {text}")
    if as_json:
        click.echo(json.dumps({"error": {"code": code, "message": text}}, ensure_ascii=False))
    return code


def _is_full(error: Exception) -> bool:
    if getattr(error, "sqlite_errorcode", 0) == SQLITE_FULL:
        return True
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _text_of(error: Exception) -> str:
    if isinstance(error, click.ClickException):
        return error.format_message()
    if _is_full(error):
        place = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
        return f"{place}the disk is full: make room, then repeat"
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"{error.filename}: {error.strerror}: name a file that can be read"
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return f"{error.filename}: {error.strerror}: mount its disk for writing"
    if isinstance(error, PermissionError):
        return f"{error.filename}: {error.strerror}: run this as the user that the hosts run as"
    return str(error) or repr(error)


def _code_of(error: Exception) -> int | None:
    match error:
        case CommandError():
            return error.code
        case click.FileError() | FileNotFoundError():
            return exits.NOINPUT
        case click.ClickException():
            return exits.USAGE
        case PermissionError():
            return exits.NOPERM
        case OSError(errno=errno.EROFS):
            return exits.NOPERM
        case _ if _is_full(error):
            return exits.TEMPFAIL
    by_name = {"ConfigError": exits.CONFIG, "CannotCreate": exits.CANTCREAT, "Locked": exits.TEMPFAIL}
    return by_name.get(type(error).__name__)  # by name: their modules are imported by few commands

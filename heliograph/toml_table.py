"""A TOML table read key by key, with complaints that name the file, the line, the key and what to do.

Law: every key is asked for or refused; nothing an operator writes is silently ignored.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

FILE_OCTETS_MAX = 1 << 20  # a configuration is a page; a larger file is not one
_KINDS = {str: "a text in quotes", int: "a whole number", bool: "true or false", list: "a list", dict: "a table"}


class ConfigError(Exception):
    """The configuration cannot be used; the message names the file, the place and what to do."""


class Table:
    """One table of a file. Ask with `take`, finish with `done`."""

    def __init__(self, path: Path, text: str, values: dict[str, Any], section: str = "", nth: int = 0) -> None:
        self._path, self._text, self._values, self._section = path, text, dict(values), section
        self._nth = nth  # of the tables with this name
        self._asked: list[str] = []

    def take(self, key: str, kind: type[T], default: T | None = None) -> T:
        """Return a key's value, or `default`; complain where it is missing without one, or of another kind."""
        self._asked.append(key)
        value = self._values.pop(key, default)
        if value is None:
            raise self.error(key, "is missing", "add it")
        if type(value) is not kind:
            raise self.error(key, f"must be {_KINDS[kind]}, not {value!r}", "correct it")
        return value

    def number(self, key: str, least: int, most: int, default: int | None = None) -> int:
        """Return a key's whole number; complain where it is not between these."""
        value = self.take(key, int, default)
        if not least <= value <= most:
            raise self.error(key, f"is {value}", f"choose {least} to {most}")
        return value

    def table(self, key: str) -> Table:
        """Return a table inside, empty where there is none."""
        return Table(self._path, self._text, self.take(key, dict, {}), self._inside(key))

    def tables(self, key: str) -> list[Table]:
        """Return a list of tables (``[[key]]``)."""
        rows = self.take(key, list, [])
        if not all(isinstance(row, dict) for row in rows):
            raise self.error(key, "must be tables", f"write each as [[{key}]]")
        return [Table(self._path, self._text, row, self._inside(key), nth) for nth, row in enumerate(rows)]

    def rest(self) -> dict[str, Any]:
        """Take everything that is left: a table whose keys are the operator's own words."""
        values, self._values = self._values, {}
        return values

    def done(self) -> None:
        """Refuse what nobody asked for."""
        for key in self._values:
            near = difflib.get_close_matches(key, self._asked, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(self._asked))}"
            raise self.error(key, "is not known", hint)

    def error(self, key: str, what: str, todo: str) -> ConfigError:
        """Word a complaint about a key."""
        line = _line_of(self._text, self._section, key, self._nth)
        place = f"{self._path}, line {line}" if line else str(self._path)
        return ConfigError(f"{place}: {self._inside(key)} {what}: {todo}")

    def _inside(self, key: str) -> str:
        return f"{self._section}.{key}" if self._section else key


def read_table(path: Path) -> Table:
    """Read a TOML file as its topmost table."""
    return table_of(path, _content(path))


def table_of(path: Path, content: bytes) -> Table:
    """Read what a file holds, or is to hold; `path`: what it is called in complaints."""
    if len(content) > FILE_OCTETS_MAX:
        raise ConfigError(f"{path}: over {FILE_OCTETS_MAX} octets: this is no configuration")
    try:
        text = content.decode()
        return Table(path, text, tomllib.loads(text))
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8: save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}: correct that place") from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is none: make a fabric with `heliograph init`, or name its folder with -C"
        ) from None
    except PermissionError:
        raise
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}: check its owner and mode") from None


def _line_of(text: str, section: str, key: str, nth: int = 0) -> int:
    """Find where a key stands (0: nowhere): good enough for a message. `nth`: of the tables of that name."""
    inside, seen = "", -1 if section else 0
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]", line)
        if header:
            inside = header[1]
            if inside == (f"{section}.{key}" if section else key):
                return number
            seen += inside == section
        elif inside == section and seen == nth and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=""", line):
            return number
    return 0

"""What SEARCH looks for, as values (RFC 3501 6.4.4).

Law: a key says what was asked; texts are decoded and folded already.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailbox_host.imap.sequence import SequenceSet

Value = str | int | SequenceSet | tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Key:
    """One search key: its name and its argument."""

    name: str
    value: Value = None


@dataclass(frozen=True, slots=True)
class Not:
    key: SearchKey


@dataclass(frozen=True, slots=True)
class Or:
    left: SearchKey
    right: SearchKey


@dataclass(frozen=True, slots=True)
class And:
    keys: tuple[SearchKey, ...]


SearchKey = Key | Not | Or | And

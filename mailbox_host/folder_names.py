"""What a folder may be called.

Law: a name that is stored is one that every client can show, type and match: no control characters, no wildcards,
no empty level. INBOX is INBOX however it is written (RFC 3501 5.1).
"""

from __future__ import annotations

SEPARATOR = "/"
INBOX = "INBOX"
NAME_OCTETS_MAX = 512  # in UTF-8; also bounds what a LIST answer and its modified UTF-7 cost
LEVELS_MAX = 16  # nobody files deeper; bounds what RENAME and LIST do per folder
FOLDERS_MAX = 1000  # per account: STATUS and LIST walk them all
UIDVALIDITY_MAX = 2**32 - 1  # RFC 3501 9: nz-number


class FolderError(Exception):
    """What was asked of a folder cannot be; the message says why, fit to be shown."""


class FolderExists(FolderError):
    pass


class NoSuchFolder(FolderError):
    pass


class BadFolderName(FolderError):
    pass


class TooManyFolders(FolderError):
    pass


def canonical(name: str) -> str:
    """Write INBOX as INBOX, alone or as the first level."""
    first, separator, rest = name.partition(SEPARATOR)
    return INBOX + separator + rest if first.upper() == INBOX else name


def checked(name: str) -> str:
    """Return the canonical name of a folder to be made; raise BadFolderName."""
    if any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F or 0xD800 <= ord(c) <= 0xDFFF or c in "%*" for c in name):
        raise BadFolderName("a folder's name holds no control characters and neither % nor *")
    if len(name.encode()) > NAME_OCTETS_MAX:
        raise BadFolderName(f"a folder's name is at most {NAME_OCTETS_MAX} octets long")
    levels = name.split(SEPARATOR)
    if not all(levels):
        raise BadFolderName(f"empty name, or an empty level between {SEPARATOR}")
    if len(levels) > LEVELS_MAX:
        raise BadFolderName(f"folders nest at most {LEVELS_MAX} deep")
    return canonical(name)


def parents(name: str) -> list[str]:
    """``a/b/c`` -> ["a", "a/b"]."""
    levels = name.split(SEPARATOR)
    return [SEPARATOR.join(levels[:depth]) for depth in range(1, len(levels))]

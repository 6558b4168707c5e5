"""What a folder may be called.

Law: a name that is stored is one that every client can show, type and match: no control characters, no wildcards,
no empty level; of a letter that can be written in several ways, the composed one (RFC 5198 2: Net-Unicode is in NFC).
INBOX is INBOX however it is written (RFC 3501 5.1).
"""

from __future__ import annotations

import re
import unicodedata

SEPARATOR = "/"
INBOX = "INBOX"
NAME_OCTETS_MAX = 512  # in UTF-8; also bounds what a LIST answer and its modified UTF-7 cost
LEVELS_MAX = 16  # nobody files deeper; bounds what RENAME and LIST do per folder
FOLDERS_MAX = 1000  # per account: STATUS and LIST walk them all
UIDVALIDITY_MAX = 2**32 - 1  # RFC 3501 9: nz-number

# Controls, line separators (RFC 6855 3), halves of characters, and LIST's wildcards.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff%*]")


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


def normal(name: str) -> str:
    """Write each letter in its one way."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def canonical(name: str) -> str:
    """Write INBOX as INBOX, alone or as the first level; the rest normally."""
    name = normal(name)
    first, separator, rest = name.partition(SEPARATOR)
    return INBOX + separator + rest if first.upper() == INBOX else name


def checked(name: str) -> str:
    """Return the canonical name of a folder to be made; raise BadFolderName."""
    name = canonical(name)
    if _FORBIDDEN.search(name):
        raise BadFolderName("a folder's name holds no control characters and neither % nor *")
    if len(name.encode()) > NAME_OCTETS_MAX:
        raise BadFolderName(f"a folder's name is at most {NAME_OCTETS_MAX} octets long")
    levels = name.split(SEPARATOR)
    if not all(levels):
        raise BadFolderName(f"empty name, or an empty level between {SEPARATOR}")
    if len(levels) > LEVELS_MAX:
        raise BadFolderName(f"folders nest at most {LEVELS_MAX} deep")
    return name


def parents(name: str) -> list[str]:
    """``a/b/c`` -> ["a", "a/b"]."""
    levels = name.split(SEPARATOR)
    return [SEPARATOR.join(levels[:depth]) for depth in range(1, len(levels))]

"""Reading a command from the words of a mail.

Law: a command is a whole line of known words, nothing guessed: ``subscribe``, ``subscribe folder=News``. Reading is
bounded and never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.header import decode_header

from mail.envelope import Arrival
from mail.headers import split_message

SUBJECT_CHARACTERS_MAX = 500  # longer ones are not commands, and decoding stays cheap
TEXT_OCTETS_MAX = 4096  # a command stands at the top
FOLDER_CHARACTERS_MAX = 100
CHARSETS = frozenset(("utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252"))  # punycode takes minutes

_LINE = re.compile(r"(subscribe|unsubscribe|help)((?:\s+[a-z]+=(?:\"[^\"]*\"|\S+))*)\s*\Z", re.IGNORECASE)
_FOLDER = re.compile(r"(?:\A|\s)folder=(?:\"([^\"]*)\"|([^\s\"]\S*))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Command:
    """`word`: subscribe, unsubscribe or help."""

    word: str
    folder: str = "INBOX"


def read_line(text: str) -> Command | None:
    """Read one line; None where it is no command."""
    match = _LINE.match(text.strip())
    return Command(match[1].lower(), read_folder(match[2]) or "INBOX") if match else None


def read_folder(text: str) -> str:
    """Return what ``folder=`` asks for, or "" for nothing or nothing usable."""
    match = _FOLDER.search(text)
    return clean_folder(match[1] or match[2] or "") if match else ""


def clean_folder(text: str) -> str:
    folder = text.strip().strip("/")
    return folder if folder.isprintable() and len(folder) <= FOLDER_CHARACTERS_MAX else ""


def subject_of(arrival: Arrival) -> str:
    """Return the Subject as a person reads it, "" where it is too long or strange to be a command."""
    raw = arrival.headers.get("subject")
    if len(raw) > SUBJECT_CHARACTERS_MAX:
        return ""
    if "=?" not in raw:
        return raw
    try:
        return "".join(_decoded(part, charset) for part, charset in decode_header(raw))
    except Exception:  # the standard library raises what it likes over broken encoded-words (RFC 2047)
        return ""


def first_line(arrival: Arrival) -> str:
    """Return the first line of text, of the first part where there are several."""
    text = split_message(arrival.content)[1][:TEXT_OCTETS_MAX]
    if arrival.headers.get("content-type").lower().startswith("multipart/"):
        text = text.partition(b"\r\n\r\n")[2]
    lines = text.decode("utf-8", "replace").split("\r\n")
    return next((line.strip() for line in lines if line.strip()), "")


def is_bare(arrival: Arrival) -> bool:
    """Tell whether a mail has no text at all."""
    return not split_message(arrival.content)[1].strip()


def _decoded(part: bytes | str, charset: str | None) -> str:
    if isinstance(part, str):
        return part
    return part.decode(charset if (charset or "").lower() in CHARSETS and charset else "ascii", "replace")

"""Reading a command from the words of a mail.

Law: a command is a whole line of known words, nothing guessed: ``subscribe``, ``subscribe folder=News``. Reading is
bounded and never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mail import words
from mail.envelope import Arrival
from mail.headers import split_message

SUBJECT_CHARACTERS_MAX = 500  # longer ones are no commands
FOLDER_CHARACTERS_MAX = 100

_LINE = re.compile(r"(subscribe|unsubscribe|help)((?:\s+[a-z]+=(?:\"[^\"]*\"|[^\s\"]\S*))*)\s*\Z", re.IGNORECASE)
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
    """Return the Subject as a person reads it, "" where it is too long to be a command."""
    return "" if len(arrival.headers.get("subject")) > SUBJECT_CHARACTERS_MAX else words.subject_of(arrival.headers)


def first_line(arrival: Arrival) -> str:
    """Return the first line of a mail's own text, however it is packed."""
    lines = words.text_of(arrival.content).splitlines()
    return next((line.strip() for line in lines if line.strip()), "")


def is_bare(arrival: Arrival) -> bool:
    """Tell whether a mail has no text at all."""
    return not split_message(arrival.content)[1].strip()

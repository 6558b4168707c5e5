"""Sanitised HTML as a text that is pleasant in a terminal: links as notes below, lines that flow.

Law: whatever the text maker trips over, the words are still there. A line is at most 72 columns, longer ones flow on
(RFC 3676), but for what was laid out by hand.
"""

from __future__ import annotations

import re
import textwrap

import inscriptis
from inscriptis.model.config import ParserConfig

from ingest.raw_item import stripped

TEXT_CHARACTERS_MAX = 200_000
NOTES_MAX = 200  # links that get a note; who lists more, lists addresses
COLUMNS = 72

_EMPTY_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}")
_LINK = re.compile(r"\[(\[[^\[\]\n]{0,500}\]|[^\[\]\n]{0,500})\]\(([^\s()]{1,2000})\)")
_IMAGE = re.compile(r"<img\b[^<>]*>")
_ALT = re.compile(r"\balt=\"([^\"]*)\"")
_BULLET = re.compile(r"\s*(?:[*+-]|[0-9]{1,3}\.)\s+")
_LAID_OUT = re.compile(r"\S {3,}\S|^ {4,}\S")  # a table, a poem, code
_NOTE = re.compile(r"\[[0-9]+\] \S+\Z")
_STRAY_INDENT = re.compile(r"^ {1,3}(?=[^\s*+\-0-9])", re.MULTILINE)  # of a tag's own white space
_CONFIG = ParserConfig(display_links=True)


def text_of_html(clean: str) -> str:
    """Return sanitised HTML as text: ``word [1]``, and the addresses below."""
    if not clean.strip():
        return ""
    try:
        text = inscriptis.get_text(_IMAGE.sub(_described, clean), _CONFIG)
    except Exception:
        return tidy(stripped(clean))
    return tidy(_STRAY_INDENT.sub("", _with_notes(text)))


def tidy(text: str) -> str:
    """Trim lines and runs of empty ones."""
    lines = "\n".join(line.rstrip() for line in text.replace("\r", "").split("\n"))
    return _EMPTY_LINES.sub("\n\n", lines).strip("\n")[:TEXT_CHARACTERS_MAX]


def flowed(text: str) -> str:
    """Break long lines as RFC 3676 has it: a space at the end says that the line goes on."""
    return "\n".join(_flowed(line) for line in text.split("\n"))


def _described(match: re.Match[str]) -> str:
    """A picture is what it shows, if anybody said so."""
    alt = _ALT.search(match[0])
    words = " ".join(alt[1].split()) if alt else ""
    return f"[{words.replace('[', '(').replace(']', ')')}]" if words else ""


def _with_notes(text: str) -> str:
    notes: dict[str, int] = {}

    def noted(match: re.Match[str]) -> str:
        words, address = match[1].strip("[] "), match[2]
        if words in ("", address):
            return address
        if address not in notes and len(notes) >= NOTES_MAX:
            return f"{words} <{address}>"
        return f"{words} [{notes.setdefault(address, len(notes) + 1)}]"

    body = _LINK.sub(noted, text)
    return "\n".join([body.rstrip(), "", *(f"[{number}] {address}" for address, number in notes.items())])


def _flowed(line: str) -> str:
    line = line.rstrip()
    if line.startswith((" ", ">", "From ")):  # RFC 3676 4.4: space-stuffed
        line = " " + line
    if len(line) <= COLUMNS or _LAID_OUT.search(line) or _NOTE.match(line):
        return line
    bullet = _BULLET.match(line)
    hang = " " * len(bullet[0]) if bullet else ""
    rows = textwrap.wrap(line, COLUMNS, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False)
    return " \n".join(rows)

"""Options that cannot be heeded: misspelled, without a value, too long.

Law: what looks like an option and is none is said, never passed over; all else of its line is done. Talk is no option:
only lines that ask for something are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.wish import ADDRESS, FOLDER_OCTETS_MAX, OPTIONS, SIFT_OCTETS_MAX, folder_of, read_options

KNOWN = 'there are folder=NAME, only=WORD, without="TWO WORDS", edits=yes and fulltext=yes'
REST = "the rest was done"

_LIKE = re.compile(r"(?:^|(?<=\s))([a-z]{3,20})(\s?=\s?)(\"[^\"]*\"?|'[^']*'|\S*)", re.IGNORECASE)
_BEGINS = re.compile(r"\s*[a-z]{3,20}=", re.IGNORECASE)


def looks_like_options(text: str) -> bool:
    """Tell whether a text begins as options do, whether there is such an option or not."""
    return _BEGINS.match(text) is not None


def faults_of(line: str) -> Iterator[tuple[str, str]]:
    """Return (what it says, why that is not done) of a line that asks for something."""
    found = [(match[0], match[1].lower(), match[2], match[3]) for match in _LIKE.finditer(ADDRESS.sub(" ", line))]
    for said, word, equals, value in found:
        if reason := _fault(word, equals, value):
            yield said[:200], f"{reason}; {REST}"
    read = read_options(line, "")
    for word, kept in (("only", read.only), ("without", read.without)):
        if sum(word == each for _, each, _, _ in found) > kept.count("\n") and kept:
            yield f"{word}=", f"all its words have {SIFT_OCTETS_MAX} octets at most; {REST}"


def _fault(word: str, equals: str, value: str) -> str:
    if word not in OPTIONS:
        return f"there is no such option; {KNOWN}" if equals == "=" and value else ""
    if value.startswith('"') and (len(value) == 1 or not value.endswith('"')):
        return "its quotation mark is not closed"
    value = value.strip("\"' ")
    if not value:
        return f"nothing stands behind it; {KNOWN}"
    if word in ("edits", "fulltext"):
        return "" if re.match(r"yes\b", value, re.IGNORECASE) else f"{word}=yes is all that can be said"
    if word == "folder":
        return "" if folder_of(value.rstrip(".,;")) else f"a folder's name has {FOLDER_OCTETS_MAX} octets at most"
    return (
        "" if len(f"{value}\n".encode("utf-8", "replace")) <= SIFT_OCTETS_MAX else f"{SIFT_OCTETS_MAX} octets at most"
    )

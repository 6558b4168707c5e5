"""What SORT compares (RFC 5256 2, 3): dates, sizes, first addresses, base subjects.

Law: a value is made of a message's row and header alone; whatever the header holds, there is one. Texts
are compared in capitals, as i;unicode-casemap does (RFC 5051 2): "[" and "_" come after letters.
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Callable
from typing import Any

from mailbox_host.address_list import address_list
from mailbox_host.entries import Entry
from mailbox_host.imap.decoding import decode_header
from mailbox_host.imap.search_text import header_values

FIELD_OCTETS_MAX = 2000  # looked at: nobody sorts by more, and a field can be as long as a header

_QUOTED = rb'"(?:[^"\\]|\\.)*"'
_FIRST = re.compile(rb"\(\((?:NIL|" + _QUOTED + rb") (?:NIL|" + _QUOTED + rb") \"((?:[^\"\\]|\\.)*)\"")
_SPACES = re.compile(r"[ \t\r\n]+")
_TRAILER = re.compile(r"(?:\(fwd\)|[ \t])+\Z")
_BLOB = re.compile(r"\[[^\[\]]*\][ \t]*")
_REPLY = re.compile(r"(?:re|fwd?)[ \t]*(?:\[[^\[\]]*\][ \t]*)?:[ \t]*")

Value = Callable[[Entry, bytes], Any]


def base_subject(value: str) -> str:
    """The subject without what replies and forwards put around it (RFC 5256 2.1); folded."""
    return split_subject(value)[0]


def split_subject(value: str) -> tuple[str, bool]:
    """The base subject, and whether it was a reply's or a forward's."""
    text = _SPACES.sub(" ", value).casefold()
    reply = False
    while True:
        before = text
        cut = _TRAILER.sub("", text)
        text, replied = _without_leaders(cut.lstrip())
        reply = reply or replied or "(fwd)" in before[len(cut) :]
        if text.startswith("[fwd:") and text.endswith("]"):
            text, reply = text[5:-1], True
        elif text == before:
            return text, reply


def _without_leaders(text: str) -> tuple[str, bool]:
    at = 0  # what came before was a leader
    while True:
        last = rest = at
        while blob := _BLOB.match(text, rest):
            last, rest = rest, blob.end()
        if reply := _REPLY.match(text, rest):
            at = reply.end()
            continue
        return text[last if rest == len(text) else rest :], at > 0  # a subject is not made empty


def _field(header: bytes, name: str) -> bytes | None:
    return next((value[:FIELD_OCTETS_MAX] for value in header_values(header, name)), None)


def _mailbox(name: str) -> Value:
    """The local part of the first address; of a group, its name."""

    def value(entry: Entry, header: bytes) -> str:
        match = _FIRST.match(address_list(b" ".join((_field(header, name) or b"").split())))
        return match[1].decode("utf-8", "replace").upper() if match else ""

    return value


def _sent(entry: Entry, header: bytes) -> float:
    """The Date field in UTC; the arrival where there is none (RFC 5256 2.2)."""
    text = (_field(header, "date") or b"").decode("ascii", "replace").strip()
    try:
        parsed = email.utils.parsedate_tz(text)
        return float(email.utils.mktime_tz(parsed)) if parsed else entry.arrival
    except (ValueError, OverflowError, IndexError, TypeError):
        return entry.arrival


def _subject(entry: Entry, header: bytes) -> str:
    return base_subject(decode_header((_field(header, "subject") or b"").strip())).upper()


VALUES: dict[str, Value] = {
    "ARRIVAL": lambda entry, header: entry.arrival,
    "SIZE": lambda entry, header: entry.size,
    "DATE": _sent,
    "SUBJECT": _subject,
    "FROM": _mailbox("from"),
    "TO": _mailbox("to"),
    "CC": _mailbox("cc"),
}
OF_ROWS = frozenset({"ARRIVAL", "SIZE"})

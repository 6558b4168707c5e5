"""What came to a newsletter's address: an issue, something its owner must see, or our own post come back.

Law: pure. When in doubt she must see it: what was sorted wrongly is then in her inbox, and not in a folder that nobody
looks into.
"""

from __future__ import annotations

import re

from directory.names import FabricNames
from ingest.newsletters import Newsletter
from mail.envelope import Arrival
from mail.headers import Headers, add_headers, drop_headers, first_addr_spec, header_line, split_message
from mail.words import subject_of

WAY_OUT = "Heliograph-List-Unsubscribe"  # the publisher's, for the reflector to put beside its own
WAY_OUT_CHARACTERS_MAX = 900

# How publishers ask whether an address was meant, in the languages that most of them write; and what else nobody may
# miss, which an issue's title may hold, too.
_CONFIRM = re.compile(
    r"confirm|verif|activat|validat|opt.?in|bestätig|bestaetig|aktivier|bevestig|vérifi|activer|conferma|attiva"
    r"|potwierd|potvrd|bekräfta|bekræft|vahvista|подтверд|підтверд|確認|确认",
    re.IGNORECASE,
)
_PERSONAL = re.compile(r"welcome|willkommen|bienvenue|code|sign.?in|log.?in|passwor[dt]", re.IGNORECASE)
# A key to an account, which is no issue whatever its header says: "482913 is your code", "Your sign-in link".
_KEY = re.compile(
    r"\b(?:code|pin|kode|código|codice)\b\s*(?:is|ist|est|:|-)?\s*\d{4,8}\b"
    r"|\b\d{4,8}\W+(?:is your|ist (?:dein|ihr)|est votre)\b"
    r"|\b(?:your|ihr|dein|votre|tu)\b.{0,30}\b(?:sign.?in|log.?in|verification|security|one.?time)\W+(?:code|link|pin)\b"
    r"|\b(?:log.?in|sign.?in|magic)\W+link\b|\breset\b.{0,20}\bpassword\b",
    re.IGNORECASE,
)
# Where it came through, and to whom: the address is its owner's and the publisher's affair, not of whoever follows.
_NOT_PASSED_ON = (
    "to",
    "cc",
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-delivered-to",
    "received",
    "return-path",
)


def is_loop(arrival: Arrival, names: FabricNames, newsletter: Newsletter) -> bool:
    """Tell whether our own post came back: a newsletter that was made to send to itself."""
    writers = (arrival.sender.lower(), first_addr_spec(arrival.headers.get("from")))
    own = names.reflector(newsletter.source)
    returned = came_back(arrival.headers, names, newsletter.source)
    return returned or any(f"+{newsletter.detail}@" in each or each == own for each in writers)


def came_back(headers: Headers, names: FabricNames, source: str) -> bool:
    """Tell whether a mail is a post of this source."""
    lists = {value.lower() for value in headers.all("list-id")}
    if any(f"{source}.reflectors.{names.domain}" in value for value in lists):
        return True
    return names.reflector(source) in [value.lower() for value in headers.all("x-loop")]


def is_for_her(arrival: Arrival, newsletter: Newsletter) -> bool:
    """Tell whether its owner must see it herself: a question whether she meant it, a letter, something that failed."""
    if not arrival.sender or not split_message(arrival.content)[1].strip():
        return True  # RFC 5321 4.5.5: a notice; and without a text, its Subject could be a command of hers
    subject, first = subject_of(arrival.headers), not newsletter.last_at
    asks = _CONFIRM.search(subject) is not None
    if _KEY.search(subject):
        return True
    if arrival.headers.has("list-unsubscribe") or arrival.headers.has("list-id"):
        return asks and first  # RFC 2369, 2919: an issue, unless it is what comes before all issues
    return first or asks or _PERSONAL.search(subject) is not None


def as_post(arrival: Arrival, names: FabricNames, newsletter: Newsletter) -> bytes:
    """Make a post of an issue, which leaves everything but its addresses as the publisher wrote it."""
    return passed_on(arrival.content, arrival.headers, names.reflector(newsletter.source), newsletter.account)


def passed_on(content: bytes, headers: Headers, address: str, owner: str) -> bytes:
    """Make a post of a message. `address`: of the source; `owner`: in whose name it is posted."""
    out = headers.get("list-unsubscribe")[:WAY_OUT_CHARACTERS_MAX]
    lines = [
        ("Heliograph-Authenticated", owner),
        *([(WAY_OUT, out)] if out.isascii() and out.isprintable() and out.startswith("<") else []),
        ("To", address),
    ]
    missing = b"" if headers.has("from") else header_line("From", address)
    return add_headers(missing + drop_headers(content, _NOT_PASSED_ON, prefix="heliograph-"), lines)

"""The header fields that clients want of every message, cut out.

Law: a cut is a function of the header and the names alone. Those of the sets below are kept with the body, once for
everyone who has it; any other set is cut anew each time, some 6 microseconds a message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from store import Bodies, Reader, Transaction

# What each client asks of a mailbox that is new to it, by the number under which it is kept: never use one again.
# 1000 is taken: imap/previews.py keeps the first words of messages under it. 3 was what nobody asks.
_SETS = {
    1: "From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type "
    "Reply-To",  # Thunderbird, some older releases
    2: "X-TUID Message-ID",  # mbsync
    4: "DATE FROM SUBJECT TO CC MESSAGE-ID REFERENCES CONTENT-TYPE CONTENT-DESCRIPTION IN-REPLY-TO REPLY-TO LINES "
    "LIST-POST LIST-SUBSCRIBE LIST-UNSUBSCRIBE X-LABEL X-ORIGINAL-TO",  # neomutt, later releases
    5: "From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type "
    "Reply-To Received",  # Thunderbird 153, of every folder
    6: "DATE FROM SENDER SUBJECT TO CC MESSAGE-ID REFERENCES CONTENT-TYPE CONTENT-DESCRIPTION IN-REPLY-TO REPLY-TO "
    "LINES LIST-POST LIST-SUBSCRIBE LIST-UNSUBSCRIBE X-LABEL X-ORIGINAL-TO",  # neomutt 20220429
    7: "date subject from content-type to cc bcc reply-to message-id references in-reply-to list-post list-unsubscribe "
    "sender X-K9mail-Identity Chat-Version",  # K-9, Thunderbird for Android
    8: "date subject from to cc message-id in-reply-to references content-type x-priority x-uniform-type-identifier "
    "x-universally-unique-identifier list-id list-unsubscribe bimi-indicator bimi-location x-bimi-indicator-hash "
    "authentication-results dkim-signature x-spam-status x-spam-flag received-spf X-Forefront-Antispam-Report",  # Apple
    9: "date subject from to cc message-id in-reply-to references content-type x-priority x-uniform-type-identifier "
    "x-universally-unique-identifier list-id list-unsubscribe bimi-indicator bimi-location x-bimi-indicator-hash "
    "authentication-results dkim-signature",  # Apple Mail, older releases
}
KINDS = {frozenset(names.upper().encode().split()): kind for kind, names in _SETS.items()}

MOST_WANTED = next(names for names, kind in KINDS.items() if kind == 5)

_FIELD = re.compile(rb"^([^\s:]+)[ \t]*:[^\n]*\n?(?:[ \t][^\n]*\n?)*", re.MULTILINE)


def cut(header: bytes, names: frozenset[bytes], others: bool = False) -> bytes:
    """Return the fields with these names, in capitals (or all but them), as they stand, and the empty line."""
    found = b"".join([match[0] for match in _FIELD.finditer(header) if (match[1].upper() in names) is not others])
    if found and not found.endswith(b"\n"):
        found += b"\r\n"
    return found + b"\r\n"


def kept_cuts(source: Reader | Transaction, bodies: Iterable[int], kind: int) -> list[bytes | None]:
    """Return the cuts that are kept, in the order of the bodies; None for those not made yet."""
    sql = """
        SELECT cut FROM json_each(?) wanted LEFT JOIN header_cut ON body = wanted.value AND kind = ?
    """
    return [cut for (cut,) in source.all(sql, (json.dumps(list(bodies)), kind))]


def made_cuts(source: Reader | Transaction, bodies: Iterable[int], names: frozenset[bytes]) -> dict[int, bytes]:
    """Make cuts without keeping them: for a reader's thread. A body that is gone is left out."""
    return {body: cut(header, names) for body, header in Bodies.read_headers(source, bodies).items()}


def keep_cuts(tx: Transaction, made: Mapping[int, bytes], kind: int) -> None:
    """Keep cuts of bodies that are still there."""
    rows = [(body, kind, octets) for body, octets in made.items() if Bodies.exists(tx, body)]
    tx.executemany("INSERT OR IGNORE INTO header_cut VALUES (?, ?, ?)", rows)

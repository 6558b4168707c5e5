"""What a mail from outside says of itself, before anything is looked up: who wrote it, when, to whom, and which of its
seals (DKIM, RFC 6376) could stand behind that.

Law: pure, bounded, and nothing raises. Who was sent a sealed mail can send it to anybody, with other fields added, for
ever: so all that a list goes by must be there once and sealed, the mail must be young, and name the list itself.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz

from mail.address import BadAddress, parse_address
from mail.headers import (
    ADDRESS_FIELD_CHARACTERS_MAX,
    HEADER_COUNT_MAX,
    Headers,
    bare,
    drop_headers,
    first_addr_spec,
    names_several,
    split_message,
)
from mail.organization import organization
from mail.seal import relaxed_text
from mail.unsealing import FIELD, FIELDS_MAX, Claim, read_tags

AGE_SECONDS_MAX = 2 * 86_400  # a weekend in somebody's queue; what was taken is remembered for much longer
AHEAD_SECONDS_MAX = 3_600  # for clocks that are wrong
SEAL_CHARACTERS_MAX = 8_000  # the longest key and 200 names of fields
SEALS_MAX = 4  # that are looked at: providers put on two or three
NAMED_MAX = 300  # addresses in To, and in Cc, that are read: a field of that many is as long as one may be
DATE_CHARACTERS_MAX = 100

SEALED = ("from", "to", "subject", "date", "message-id")  # once each, and sealed; Cc too, where there is one
# They say how the text is read. Some large providers seal the text and not these: whoever changes them has the same
# octets shown otherwise, and must be quicker than the mail itself.
KEPT = ("mime-version", "content-type", "content-transfer-encoding")
NOT_TWICE = ("cc", "sender", "reply-to", "in-reply-to", "references", *KEPT)

_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,200}[a-z0-9])?\Z")
_NUMBER = re.compile(r"[0-9]{1,12}\Z")
_MESSAGE_ID = re.compile(r"<[^<>\s]{3,250}>\Z")


@dataclass(frozen=True, slots=True)
class Seal:
    """One that would do if it is true. `domain`: whose; `is_own`: it is that of From itself, not one above it;
    `strict`: its identity (i=) is of the domain itself."""

    claim: Claim
    domain: str
    is_own: bool
    strict: bool


@dataclass(frozen=True, slots=True)
class Saying:
    """`author`: whom From names; `named`: the addresses in To and Cc; `seals`: the author's domain's own first."""

    author: str
    named: frozenset[str]
    seals: tuple[Seal, ...]


def read_saying(content: bytes, now: float) -> Saying | None:
    """Read a mail; None where it can prove nothing to a list."""
    headers = Headers.of(content)
    if not headers.has(FIELD) or len(headers.fields) >= HEADER_COUNT_MAX:  # there may be more, unread
        return None
    count = Counter(name for name, _ in headers.fields)
    if any(count[name] != 1 for name in SEALED) or any(count[name] > 1 for name in NOT_TWICE):
        return None
    author = _author(headers.get("from"))
    if not author or not _is_young(headers.get("date"), now) or not _MESSAGE_ID.match(headers.get("message-id")):
        return None
    found = [_seal(index, value, author, count, now) for index, value in enumerate(headers.all(FIELD)[:SEALS_MAX])]
    seals = sorted((seal for seal in found if seal), key=lambda seal: not seal.is_own)
    named = frozenset(_addresses(headers.get("to")) + _addresses(headers.get("cc")))
    return Saying(author, named, tuple(seals)) if seals else None


def number_of(content: bytes) -> str:
    """What a mail is known by, whichever true seal it carries and whatever was added: all that every such seal covers.
    White space counts for nothing at all, since libraries differ in what of it they pass over."""
    block, text = split_message(content)
    fields = (one for one in Headers.parse(block).fields if one[0] in SEALED)
    lines = sorted(name.encode() + b":" + b" ".join(value.split()) + b"\r\n" for name, value in fields)
    digest = hashlib.sha256(b"".join(lines))
    digest.update(hashlib.sha256(relaxed_text(text)).digest())
    return digest.hexdigest()


def proven_part(content: bytes, claim: Claim) -> bytes:
    """Return the message with the fields that a true seal covers, those that say how its text is read, and the marks
    of lists that it passed: who forges one of these loses only his own mail."""
    count = Counter(name for name, _ in Headers.of(content).fields)
    sealed = Counter(claim.fields)
    kept = {name for name in count if count[name] <= sealed[name]} | {*KEPT, "x-loop"}
    return drop_headers(content, count.keys() - kept)


def _author(field: str) -> str:
    if names_several(field):
        return ""
    try:
        address = parse_address(first_addr_spec(field))
    except BadAddress:
        return ""
    return str(address) if str(address).isascii() and _NAME.match(address.domain) else ""


def _is_young(date: str, now: float) -> bool:
    if len(date) > DATE_CHARACTERS_MAX:
        return False
    try:
        parsed = parsedate_tz(date)
        return parsed is not None and -AGE_SECONDS_MAX <= mktime_tz(parsed) - now <= AHEAD_SECONDS_MAX
    except (ValueError, OverflowError, IndexError, TypeError):
        return False


def _addresses(field: str) -> tuple[str, ...]:
    if len(field) > ADDRESS_FIELD_CHARACTERS_MAX:
        return ()
    parts = [part for part in re.split("[,;:]", bare(field)) if "@" in part]
    return tuple(first_addr_spec(part) for part in parts[:NAMED_MAX])


def _seal(index: int, value: str, author: str, count: Counter[str], now: float) -> Seal | None:
    if len(value) > SEAL_CHARACTERS_MAX:
        return None
    tags, local, domain = read_tags(value), *author.split("@")
    fields = tuple(tags.get("h", "").lower().split(":"))
    signer, selector, identity = tags.get("d", "").lower(), tags.get("s", "").lower(), tags.get("i", "").lower()
    who, _, where = identity.rpartition("@")
    covers = len(fields) <= FIELDS_MAX and set(SEALED) <= set(fields) and ("cc" in fields or not count["cc"])
    good = covers and _is_good_now(tags, now) and tags.get("a") in ("rsa-sha256", "ed25519-sha256")
    # RFC 6376 8.2: l= leaves a tail that anybody may write. i= with a name in it says which user this was.
    if not good or "l" in tags or who not in ("", local) or not _speaks_for(signer, domain):
        return None
    if not (_NAME.match(signer) and _NAME.match(selector)):
        return None
    claim = Claim(index, f"{selector}._domainkey.{signer}", fields)
    return Seal(claim, signer, signer == domain, where in ("", signer))


def _is_good_now(tags: Mapping[str, str], now: float) -> bool:
    made, end = tags.get("t", str(int(now))), tags.get("x", str(int(now) + 1))
    if not (_NUMBER.match(made) and _NUMBER.match(end)):
        return False
    return -AGE_SECONDS_MAX <= int(made) - now <= AHEAD_SECONDS_MAX and now < int(end)


def _speaks_for(signer: str, domain: str) -> bool:
    """A domain speaks for itself and for those below it, up to what somebody registered; never for one above it, which
    may have given it to a customer."""
    return signer == domain or (domain.endswith(f".{signer}") and signer == organization(domain))

"""Whether a message is sealed by a domain: DKIM (RFC 6376), checked with keys that were looked up before.

Law: no I/O, and nothing raises. A seal covers the whole text, From, and every instance of each field that it names;
whose From is not of the sealing domain is not sealed by it (RFC 7489 3.1.1). What no seal covers, anybody may have
added: `sealed_part` leaves it out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dkim

from mail.headers import Headers, drop_headers, first_addr_spec, names_several, split_message

SEALS_MAX = 4  # of one domain that are checked: ours puts two on a message
FIELDS_MAX = 200  # that one seal names


@dataclass(frozen=True, slots=True)
class Claim:
    """A seal, true or not. `index`: which of the message's DKIM-Signature fields; `key_name`: where its key is."""

    index: int
    key_name: str
    fields: tuple[str, ...]


def claims(content: bytes, domain: str) -> list[Claim]:
    """Return a message's seals by a domain that would do if they are true."""
    headers = Headers.parse(split_message(content)[0])
    if not is_from(headers, domain):
        return []
    found = [_claim(index, value, domain) for index, value in enumerate(headers.all("dkim-signature"))]
    count = Counter(name for name, _ in headers.fields)
    return [claim for claim in found if claim and _covers(claim, count)][:SEALS_MAX]


def is_from(headers: Headers, domain: str) -> bool:
    """Tell whether From is one address, of this domain or one below it."""
    fields = headers.all("from")
    if len(fields) != 1 or names_several(fields[0]):
        return False
    there = first_addr_spec(fields[0]).rpartition("@")[2]
    return there == domain or there.endswith(f".{domain}")


def is_true(content: bytes, claim: Claim, key: str) -> bool:
    """Check a seal with the TXT at its `key_name`."""
    try:
        return bool(dkim.DKIM(content).verify(idx=claim.index, dnsfunc=lambda name, timeout=5: key.encode()))
    except Exception:  # dkimpy raises whatever a hostile header makes it raise: such a seal is not true
        return False


def sealed_part(content: bytes, claim: Claim) -> bytes:
    """Return the message with no other fields than those that a true seal covers."""
    names = {name for name, _ in Headers.parse(split_message(content)[0]).fields}
    return drop_headers(content, names - set(claim.fields))


def key_of(texts: Mapping[str, Sequence[str]], claim: Claim) -> str:
    """Return the one TXT at a claim's name; "" for none or several (RFC 6376 3.6.2.2)."""
    found = texts.get(claim.key_name, ())
    return found[0] if len(found) == 1 else ""


def _claim(index: int, value: str, domain: str) -> Claim | None:
    tags = {key.strip(): "".join(text.split()) for key, _, text in (part.partition("=") for part in value.split(";"))}
    fields = tuple(tags.get("h", "").lower().split(":"))
    # l= leaves a tail that anybody may write (RFC 6376 8.2); a seal that never ends can be used for ever.
    if tags.get("d", "").lower() != domain or "l" in tags or "x" not in tags or len(fields) > FIELDS_MAX:
        return None
    selector = tags.get("s", "")
    good = selector and all(c.isascii() and (c.isalnum() or c in "-_.") for c in selector) and len(selector) < 100
    return Claim(index, f"{selector}._domainkey.{domain}", fields) if good else None


def _covers(claim: Claim, count: Counter[str]) -> bool:
    named = Counter(claim.fields)
    return "from" in named and all(count[name] <= named[name] for name in named)

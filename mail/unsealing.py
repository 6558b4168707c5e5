"""Whether a message is sealed by a domain: DKIM (RFC 6376), checked with keys that were looked up before.

Law: no I/O, and nothing raises. A seal covers the whole text, From, and every instance of each field that it names;
whose From is not of the sealing domain is not sealed by it (RFC 7489 3.1.1). What no seal covers, anybody may have
added: `sealed_part` leaves it out.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dkim
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from mail.headers import HEADER_COUNT_MAX, Headers, drop_headers, first_addr_spec, names_several, split_message
from mail.seal import relaxed, relaxed_text

SEALS_MAX = 4  # of one domain that are checked: ours puts two on a message
FIELDS_MAX = 200  # that one seal names
RSA_BITS = range(1_024, 4_097)  # RFC 8301 3.2; a longer one only costs us time
# Of a record: an RSA key of 4,096 bits has 750. The library computes with it in Python, and whoever has the record may
# choose modulus and exponent: of 100,000 bits that holds up the whole process for minutes.
KEY_CHARACTERS_MAX = 1_000
FIELD = "dkim-signature"

# What the library says of a stranger's record or header is no fault of ours: any octets, as an error.
log = logging.getLogger("heliograph.dkim")
log.setLevel(logging.CRITICAL)

_VALUE = re.compile(rb"((?:\A|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")


@dataclass(frozen=True, slots=True)
class Claim:
    """A seal, true or not. `index`: which of the message's DKIM-Signature fields; `key_name`: where its key is."""

    index: int
    key_name: str
    fields: tuple[str, ...]


def claims(content: bytes, domain: str) -> list[Claim]:
    """Return a message's seals by a domain that would do if they are true."""
    headers = Headers.of(content)
    if not is_from(headers, domain) or len(headers.fields) >= HEADER_COUNT_MAX:  # there may be more, unread
        return []
    found = [_claim(index, value, domain) for index, value in enumerate(headers.all(FIELD))]
    count = Counter(name for name, _ in headers.fields)
    return [claim for claim in found if claim and _covers(claim, count)][:SEALS_MAX]


def is_from(headers: Headers, domain: str) -> bool:
    """Tell whether From is one address, of this domain or one below it."""
    fields = headers.all("from")
    if len(fields) != 1 or names_several(fields[0]):
        return False
    there = first_addr_spec(fields[0]).rpartition("@")[2]
    return there == domain or there.endswith(f".{domain}")


def could_be_true(content: bytes, claim: Claim, key: str) -> bool:
    """Tell at once whether the signature and the text's hash are right, of seals like ours: `is_true` is the library's
    word, and takes seconds of a large message, true or not."""
    block, text = split_message(content)
    fields = Headers.parse(block).fields
    own = [value for name, value in fields if name == FIELD][claim.index]
    tags = read_tags(own.decode("latin-1"))
    if tags.get("c") != "relaxed/relaxed" or not _verifies(tags, _signed(fields, claim, own), key):
        return False
    return base64.b64encode(hashlib.sha256(relaxed_text(text)).digest()).decode() == tags.get("bh")


def _signed(fields: Sequence[tuple[str, bytes]], claim: Claim, own: bytes) -> bytes:
    """RFC 6376 3.7: what a signature is over; of equal names from the bottom up (5.4.2)."""
    left: dict[str, list[bytes]] = {}
    for name, value in fields:
        left.setdefault(name, []).append(value)
    found = b"".join(relaxed(name, left[name].pop()) for name in claim.fields if left.get(name))
    return found + relaxed(FIELD, _VALUE.sub(rb"\1", own)).removesuffix(b"\r\n")


def _verifies(tags: Mapping[str, str], signed: bytes, key: str) -> bool:
    digest, public = hashlib.sha256(signed).digest(), read_tags(key)
    try:
        signature, der = (
            base64.b64decode(text.get(tag, ""), validate=True) for text, tag in ((tags, "b"), (public, "p"))
        )
        if tags.get("a") == "ed25519-sha256":
            Ed25519PublicKey.from_public_bytes(der).verify(signature, digest)
            return True
        rsa = load_der_public_key(der)
        if tags.get("a") != "rsa-sha256" or not isinstance(rsa, RSAPublicKey) or rsa.key_size not in RSA_BITS:
            return False
        rsa.verify(signature, digest, PKCS1v15(), Prehashed(SHA256()))
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


class _Library(dkim.DKIM):  # type: ignore[misc, unused-ignore]
    """Held to the fields that we read: it passes over a line ``From ...``, and takes what is folded behind that for
    more of the field in front of it, which so is longer for it than for anybody else.

    Spared the work on a text of 35 MB. It would cut it into lines (of line ends: 6 seconds, 1.5 GB), and bring it into
    the relaxed form all at once: for four seconds no other thread has its turn."""

    def set_message(self, message: bytes) -> None:
        block, text = split_message(message)
        super().set_message(block)
        self.body = text
        fields = b"".join(name + b":" + value for name, value in self.headers)
        if fields not in (block, block.removesuffix(b"\r\n")):
            raise dkim.MessageFormatError("a line that is no field")

    def verify_sig_process(self, sig: dict[bytes, bytes], *rest: Any) -> Any:
        """`sig`: the tags. What is in the relaxed form is not changed by the simple one, unless it is empty."""
        header, _, text = sig.get(b"c", b"").partition(b"/")
        if text == b"relaxed":
            self.body = relaxed_text(self.body)
            sig = {**sig, b"c": header + b"/simple"} if self.body else sig
        return super().verify_sig_process(sig, *rest)


def is_true(content: bytes, claim: Claim, key: str) -> bool:
    """Check a seal with the TXT at its `key_name`."""
    # RFC 6376 3.6.1: with which hashes the key may be used. The library does not look.
    if len(key) > KEY_CHARACTERS_MAX or "sha256" not in read_tags(key).get("h", "sha256").split(":"):
        return False
    try:
        return bool(_Library(content, log).verify(idx=claim.index, dnsfunc=lambda name, timeout=5: key.encode()))
    except Exception:  # dkimpy raises whatever a hostile header makes it raise: such a seal is not true
        return False


def sealed_part(content: bytes, claim: Claim) -> bytes:
    """Return the message with no other fields than those that a true seal covers."""
    names = {name for name, _ in Headers.of(content).fields}
    return drop_headers(content, names - set(claim.fields))


def key_of(texts: Mapping[str, Sequence[str]], claim: Claim) -> str:
    """Return the one TXT at a claim's name; "" for none or several (RFC 6376 3.6.2.2)."""
    found = texts.get(claim.key_name, ())
    return found[0] if len(found) == 1 else ""


def _claim(index: int, value: str, domain: str) -> Claim | None:
    tags = read_tags(value)
    fields = tuple(tags.get("h", "").lower().split(":"))
    # l= leaves a tail that anybody may write (RFC 6376 8.2); a seal that never ends can be used for ever.
    if tags.get("d", "").lower() != domain or "l" in tags or "x" not in tags or len(fields) > FIELDS_MAX:
        return None
    selector = tags.get("s", "")
    good = selector and all(c.isascii() and (c.isalnum() or c in "-_.") for c in selector) and len(selector) < 100
    return Claim(index, f"{selector}._domainkey.{domain}", fields) if good else None


def read_tags(value: str) -> dict[str, str]:
    """RFC 6376 3.2, without white space, which means nothing in any of these."""
    pairs = (part.partition("=") for part in value.split(";"))
    return {key.strip(): "".join(text.split()) for key, _, text in pairs}


def _covers(claim: Claim, count: Counter[str]) -> bool:
    named = Counter(claim.fields)
    return "from" in named and all(count[name] <= named[name] for name in named)

"""The fabric's signatures: DKIM (RFC 6376) with Ed25519 (RFC 8463), and proof of who is at the other end.

Law: a ``Heliograph-*`` field counts only while a valid signature covers every instance of it; the signature names
the host (its selector) and the fabric (its domain), never an IP address.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import dkim
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mail.headers import Headers, header_block, split_message
from mail.unsealing import read_tags

TRUSTED_PREFIX = "heliograph-"
SIGNED_FIELDS = (
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "list-id",
    "list-help",
    "list-subscribe",
    "list-unsubscribe",
    "list-post",
    "list-owner",
    "auto-submitted",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
)
OURS = re.compile(rb"(?im)^heliograph-[!-9;-~]*[ \t]*:")

SIGNATURES_MAX = 8  # checked of one message: more are not worth their price

KeyOf = Callable[[str], bytes | None]  # a host's name -> its Ed25519 public key, 32 octets, or None if it has none


class _Timeless(dkim.DKIM):  # type: ignore[misc, unused-ignore]
    """Signs without t=, which is only recommended (RFC 6376 3.5): to a host whose clock is hours behind a t= is in the
    future, and no signature. What our signatures say is not bound to a time."""

    def gen_header(self, fields: list[tuple[bytes, bytes]], *rest: Any, **named: Any) -> Any:
        return super().gen_header([field for field in fields if field[0] != b"t"], *rest, **named)


def carries_fabric_fields(content: bytes) -> bool:
    """Tell whether there is any ``Heliograph-*`` field that would have to be trusted or stripped."""
    return OURS.search(header_block(content)) is not None


def sign(content: bytes, *, domain: str, host: str, key: bytes) -> bytes:
    """Return `content` with this host's DKIM-Signature in front. `key`: the Ed25519 seed, 32 octets.

    Every field that matters is signed, and once more than it occurs, so that none can be added (RFC 6376 8.15): a
    reader of a post could send it to a host that has not got it yet, under a Subject of his own.
    """
    block, text = split_message(content)
    covered = [
        name for name, _ in Headers.parse(block).fields if name.startswith(TRUSTED_PREFIX) or name in SIGNED_FIELDS
    ]
    ours = {name for name in covered if name.startswith(TRUSTED_PREFIX)}
    include = [name.encode() for name in (*SIGNED_FIELDS, *covered, *sorted(ours))]
    library = _Timeless(block, signature_algorithm=b"ed25519-sha256")
    library.body = _simple(text)  # which it would cut into lines: of 35 MB of line ends that is seconds
    line: bytes = library.sign(
        host.encode(),
        f"fabric.{domain}".encode(),
        base64.b64encode(key),
        canonicalize=(b"relaxed", b"simple"),
        include_headers=include,
    )
    return line + content


def signer(content: bytes, *, domain: str, key_of: KeyOf) -> str:
    """Return the name of the fabric host whose valid signature covers all ``Heliograph-*`` fields, or ""."""
    block, text = split_message(content)
    headers = Headers.parse(block)
    ours = Counter(name for name, _ in headers.fields if name.startswith(TRUSTED_PREFIX))
    found = [
        (index, tags)
        for index, tags in enumerate(_signatures(headers))
        if tags.get("d") == f"fabric.{domain}" and "l" not in tags and _covers(tags, ours)
    ]
    if not found:
        return ""
    text = _simple(text)
    digest = base64.b64encode(hashlib.sha256(text).digest()).decode()  # once, however many claim to have signed it
    for index, tags in found:
        is_of_this = tags.get("c") == "relaxed/simple" and tags.get("bh") == digest
        if is_of_this and _verifies(block, text, index, key_of):
            return tags.get("s", "")
    return ""


def claimed_hosts(content: bytes, domain: str) -> list[str]:
    """Return the hosts of this fabric that a message says it was signed by, true or not."""
    signatures = _signatures(Headers.of(content))
    return [tags.get("s", "") for tags in signatures if tags.get("d") == f"fabric.{domain}"]


def _signatures(headers: Headers) -> list[dict[str, str]]:
    """The tags of a message's DKIM-Signature fields (RFC 6376 3.2)."""
    return [read_tags(value) for value in headers.all("dkim-signature")[:SIGNATURES_MAX]]


def _covers(tags: Mapping[str, str], ours: Counter[str]) -> bool:
    """Tell whether a signature names each of our fields, and once more, so that none was added."""
    named = Counter(tags.get("h", "").lower().split(":"))
    return all(named[name] > count for name, count in ours.items())


def _simple(text: bytes) -> bytes:
    """RFC 6376 3.4.3: a text without the empty lines at its end."""
    return text.rstrip(b"\r\n") + b"\r\n"


def _verifies(block: bytes, text: bytes, index: int, key_of: KeyOf) -> bool:
    def published(name: bytes, timeout: int = 5) -> bytes | None:
        key = key_of(name.decode().partition("._domainkey.")[0])
        return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(key) if key else None

    try:
        library = dkim.DKIM(block)
        library.body = text
        return bool(library.verify(idx=index, dnsfunc=published))
    except Exception:  # dkimpy raises whatever a hostile header makes it raise: such a signature is not valid
        return False


def prove(key: bytes, *, nonce: str, client: str, server: str) -> str:
    """Sign a server's nonce, in base64: the argument of XHELIOGRAPH. `client`, `server`: names of hosts."""
    return base64.b64encode(Ed25519PrivateKey.from_private_bytes(key).sign(_claim(nonce, client, server))).decode()


def is_proven(public: bytes, proof: str, *, nonce: str, client: str, server: str) -> bool:
    """Check what `prove` made."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(
            base64.b64decode(proof, validate=True), _claim(nonce, client, server)
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def _claim(nonce: str, client: str, server: str) -> bytes:
    return "\0".join(("heliograph-smtp", nonce, client, server)).encode()

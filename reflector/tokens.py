"""Tokens: what stands behind ``+confirm.`` and ``+bounce.``.

Law: a token is 120 bits of keyed BLAKE2b, 24 characters of base32 in lower case; nobody makes one without the key. The
database holds a confirmation's fingerprint only, so that who reads a backup cannot confirm. No randomness is needed:
what a token is made of (the mail, the moment, the key) does not come twice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

TOKEN_OCTETS = 15
KEY_OCTETS_MIN = 16

_TOKEN = re.compile(r"[a-z2-7]{24}\Z")


def make_token(key: bytes, purpose: str, *parts: str) -> str:
    """Return the token for these parts; no two lists of parts run together."""
    digest = hashlib.blake2b(_joined(parts), key=key, digest_size=TOKEN_OCTETS, person=purpose.encode()[:16])
    return base64.b32encode(digest.digest()).decode().lower()


def bounce_token(key: bytes, list_: str, address: str, generation: int) -> str:
    """The token in the return path of what a list sends to one foreign subscriber."""
    return make_token(key, "bounce", list_, address, str(generation))


def fingerprint(key: bytes, token: str) -> bytes:
    """What is stored of a confirmation's token."""
    return hashlib.blake2b(token.encode(), key=key, digest_size=32, person=b"fingerprint").digest()


def is_token(text: str) -> bool:
    return bool(_TOKEN.match(text))


def same(stored: bytes, computed: bytes) -> bool:
    """Compare in constant time: how long a wrong token takes tells nothing about a right one."""
    return hmac.compare_digest(stored, computed)


def _joined(parts: tuple[str, ...]) -> bytes:
    return b"".join(b"%d:%b" % (len(part.encode()), part.encode()) for part in parts)

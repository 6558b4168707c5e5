"""The keys that mail to the outside is signed with: made, kept as PEM, published as TXT.

Law: a private key never leaves its host; what is published of it is computed, never kept beside it.
"""

from __future__ import annotations

import base64

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from mail.seal import SealKey

Private = RSAPrivateKey | Ed25519PrivateKey

RSA_BITS = 2048  # RFC 8301 3.2; a longer key's record does not fit one UDP answer everywhere

_PADDING, _DIGEST = padding.PKCS1v15(), utils.Prehashed(hashes.SHA256())


def make_rsa() -> RSAPrivateKey:
    return generate_private_key(65_537, RSA_BITS)


def private_pem(key: Private) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_private(pem: bytes) -> Private:
    """Read what `private_pem` wrote; ValueError for anything else, and for a key that was damaged."""
    # To test a stranger's primes takes 40 ms at each start. This key is our own: it is good if it signs.
    key = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    if isinstance(key, RSAPrivateKey) and key.key_size >= RSA_BITS:
        _prove(key)
    elif not isinstance(key, Ed25519PrivateKey):
        raise ValueError("neither an RSA key of 2048 bits nor an Ed25519 key")
    return key


def _prove(key: RSAPrivateKey) -> None:
    digest = bytes(32)
    try:
        key.public_key().verify(key.sign(digest, _PADDING, _DIGEST), digest, _PADDING, _DIGEST)
    except InvalidSignature:
        raise ValueError("a damaged RSA key") from None


def published_text(key: Private) -> str:
    """Return the TXT that publishes a key (RFC 6376 3.6.1, RFC 8463 4)."""
    if isinstance(key, Ed25519PrivateKey):
        return f"v=DKIM1; k=ed25519; p={_base64(key.public_key().public_bytes_raw())}"
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={_base64(der)}"


def seal_key(selector: str, key: Private) -> SealKey:
    return ed25519_key(selector, key) if isinstance(key, Ed25519PrivateKey) else rsa_key(selector, key)


def rsa_key(selector: str, key: RSAPrivateKey) -> SealKey:
    return SealKey(selector, "rsa-sha256", lambda digest: key.sign(digest, _PADDING, _DIGEST))


def ed25519_key(selector: str, key: Ed25519PrivateKey) -> SealKey:
    return SealKey(selector, "ed25519-sha256", key.sign)


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()

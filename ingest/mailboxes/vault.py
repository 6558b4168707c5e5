"""Passwords of mailboxes elsewhere, as they are stored: sealed with a key that stands in the host's own folder.

Law: whoever reads the database, a copy of it or a standby's replica reads no password; it is open in memory for as long
as a login takes, and in a hand-over between two hosts (mutual TLS), which seals it anew.
"""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

NONCE_OCTETS = 12  # RFC 8439 2.8; chosen at random, since a host seals some hundreds in its life


class Vault:
    """`key`: the host's secret (token.key), from which this one is derived."""

    def __init__(self, key: bytes) -> None:
        self._box = ChaCha20Poly1305(hashlib.blake2b(key=key, digest_size=32, person=b"mailbox-password").digest())

    def seal(self, password: bytes, source: str) -> bytes:
        """Seal a password for the mailbox of one source: it opens no other's."""
        nonce = os.urandom(NONCE_OCTETS)
        return nonce + self._box.encrypt(nonce, password, source.encode())

    def opened(self, sealed: bytes, source: str) -> bytes | None:
        """Return the password, or None for what this host did not seal for this source."""
        try:
            return self._box.decrypt(sealed[:NONCE_OCTETS], sealed[NONCE_OCTETS:], source.encode())
        except (InvalidTag, ValueError):
            return None

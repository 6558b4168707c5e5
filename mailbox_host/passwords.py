"""Passwords: hashed with argon2id, checked off the event loop, and never longer for one name than for another.

Law: a check costs the same whether the account exists or not; what succeeded is remembered only as a keyed hash.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError

PASSWORD_OCTETS_MAX = 1024  # nobody types more; hashing must not become a way to burn processor time
# RFC 9106 4 recommends more memory; OWASP's 19 MiB, t=2, p=1 takes 34 ms here and lets two threads log 60 in a second.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# What a name without a password is checked against: the same work, and nothing matches.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$aGVsaW9ncmFwaHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
# An imported hash decides what each login costs us: 64 MiB and 4 passes take about 0.25 s.
_IMPORT_MEMORY_KIB_MAX = 65_536
_IMPORT_PASSES_MAX = 10
_IMPORT_LANES_MAX = 16

CACHE_SECONDS = 300.0
CACHE_ENTRIES_MAX = 10_000  # 32 octets and a time each


class BadHash(ValueError):
    """The text is no password hash that can be imported; the message says which can."""


def hash_password(password: bytes) -> str:
    """Return the argon2id hash to store. Takes about 34 ms; ValueError for a password over 1,024 octets."""
    if len(password) > PASSWORD_OCTETS_MAX:
        raise ValueError(f"password over {PASSWORD_OCTETS_MAX} octets")
    return _HASHER.hash(password)


def import_hash(text: str) -> str:
    """Check a hash made elsewhere and return it as it is to be stored; raise BadHash for what cannot be verified.

    Taken: ``$argon2id$...`` and its kin, also behind Dovecot's ``{ARGON2ID}``; ``{SSHA512}`` and ``{SSHA256}``.
    """
    stored = text.strip()
    scheme, _, rest = stored.partition("}")
    if scheme.upper() in ("{ARGON2ID", "{ARGON2I"):
        stored = rest
    if stored.startswith("$argon2"):
        _check_argon2(stored)
    elif scheme.upper() in _SALTED:
        if not _split_salted(stored):
            raise BadHash(f"{scheme}}} is not followed by base64 of digest and salt")
    else:
        raise BadHash("not a hash that can be imported: $argon2id$..., {SSHA512} or {SSHA256}; set a new password")
    return stored


def verify(stored: str | None, password: bytes) -> bool:
    """Tell whether a password fits what is stored; None stands for a name without one, and takes as long."""
    if len(password) > PASSWORD_OCTETS_MAX:
        stored, password = None, b""
    if stored is not None and stored.startswith("{"):
        fits = _fits_salted(stored, password)
        stored = None  # the quick hash still pays for the slow one, or its speed would tell that the name exists
    else:
        fits = False
    try:
        return _HASHER.verify(stored or _NOBODY, password) or fits
    except (Argon2Error, InvalidHashError):
        return fits


class PasswordChecker:
    """Checks passwords in threads of its own (argon2 lets go of the interpreter), and remembers recent successes:
    mail clients open five connections at once."""

    def __init__(self, threads: int = 2, clock: Callable[[], float] = time.monotonic, key: bytes | None = None) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._clock = clock
        self._key = key or os.urandom(32)
        self._known: dict[bytes, float] = {}
        self._running: dict[bytes, asyncio.Future[bool]] = {}

    async def check(self, stored: str | None, password: bytes) -> bool:
        """Tell whether the password fits. Those who ask the same at the same time share one check."""
        mark = self._mark(stored, password)
        if self._known.get(mark, 0.0) > self._clock():
            return True
        running = self._running.get(mark)
        if running is None:
            loop = asyncio.get_running_loop()
            running = self._running[mark] = loop.run_in_executor(self._pool, verify, stored, password)
            running.add_done_callback(lambda done: self._finished(mark, done))
        return await asyncio.shield(running)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _finished(self, mark: bytes, done: asyncio.Future[bool]) -> None:
        self._running.pop(mark, None)
        if done.cancelled() or done.exception() or not done.result():
            return
        while len(self._known) >= CACHE_ENTRIES_MAX:  # the oldest go first: a dict keeps its order
            del self._known[next(iter(self._known))]
        self._known.pop(mark, None)
        self._known[mark] = self._clock() + CACHE_SECONDS

    def _mark(self, stored: str | None, password: bytes) -> bytes:
        """A keyed hash of both; a changed password changes `stored`, so that nothing need be forgotten."""
        text = b"-" if stored is None else b"+" + stored.encode()
        return hashlib.blake2b(len(text).to_bytes(8) + text + password, key=self._key, digest_size=32).digest()


_SALTED = {"{SSHA512": ("sha512", 64), "{SSHA256": ("sha256", 32)}


def _split_salted(stored: str) -> tuple[str, bytes, bytes] | None:
    """``{SSHA512}base64(digest salt)`` -> (algorithm, digest, salt)."""
    scheme, _, text = stored.partition("}")
    name, octets = _SALTED.get(scheme.upper(), ("", 0))
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return (name, blob[:octets], blob[octets:]) if name and len(blob) > octets else None


def _fits_salted(stored: str, password: bytes) -> bool:
    split = _split_salted(stored)
    return split is not None and hmac.compare_digest(hashlib.new(split[0], password + split[2]).digest(), split[1])


def _check_argon2(stored: str) -> None:
    try:
        parameters = extract_parameters(stored)
    except (InvalidHashError, ValueError):
        raise BadHash("not a whole argon2 hash: $argon2id$v=19$m=...,t=...,p=...$salt$hash") from None
    if (
        parameters.memory_cost > _IMPORT_MEMORY_KIB_MAX
        or parameters.time_cost > _IMPORT_PASSES_MAX
        or parameters.parallelism > _IMPORT_LANES_MAX
    ):
        raise BadHash(
            f"too costly to check: at most m={_IMPORT_MEMORY_KIB_MAX},t={_IMPORT_PASSES_MAX},p={_IMPORT_LANES_MAX}"
        )

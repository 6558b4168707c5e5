"""Passwords: hashed, imported, checked; what costs and what is remembered."""

from __future__ import annotations

import asyncio
import base64
import hashlib

import pytest

from mailbox_host import passwords
from mailbox_host.passwords import BadHash, PasswordChecker, hash_password, import_hash, verify


def test_a_password_fits_its_own_hash_only() -> None:
    stored = hash_password(b"correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify(stored, b"correct horse") and not verify(stored, b"correct horsf")
    assert stored != hash_password(b"correct horse")
    assert verify(hash_password(b""), b"")  # no least length is imposed


def test_a_name_without_a_password_is_never_let_in_and_costs_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = passwords._HASHER

    class Spy:
        def verify(self, stored: str, password: bytes) -> bool:
            asked.append(stored)
            return real.verify(stored, password)

    monkeypatch.setattr(passwords, "_HASHER", Spy())
    salted = "{SSHA256}" + base64.b64encode(hashlib.sha256(b"pwsalt").digest() + b"salt").decode()
    for stored in (None, "", "garbage", "$argon2id$garbage", salted):
        assert not verify(stored, b"")
    assert verify(salted, b"pw") and not verify(None, b"x" * 5000)
    assert len(asked) == 7 and all(
        each.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for each in asked if "gar" not in each
    )


def test_too_long_a_password_is_neither_hashed_nor_fits() -> None:
    with pytest.raises(ValueError, match="1024"):
        hash_password(b"x" * 1025)
    assert not verify(hash_password(b"x" * 1024), b"x" * 1025)


@pytest.mark.parametrize("scheme,name", [("{SSHA512}", "sha512"), ("{ssha256}", "sha256")])
def test_salted_hashes_of_other_servers_can_be_imported(scheme: str, name: str) -> None:
    stored = import_hash(scheme + base64.b64encode(hashlib.new(name, b"pw" + b"salt").digest() + b"salt").decode())
    assert verify(stored, b"pw") and not verify(stored, b"pX")


def test_argon2_hashes_can_be_imported_in_dovecots_clothes() -> None:
    stored = hash_password(b"pw")
    assert import_hash(f" {{ARGON2ID}}{stored}\n") == import_hash(stored) == stored


@pytest.mark.parametrize(
    "text",
    [
        "", "pw", "$6$salt$hash", "{SHA512-CRYPT}$6$salt$hash", "{SSHA512}", "{SSHA512}####", "{SSHA512}AAAA",
        "{PLAIN}pw", "$argon2id$", "$argon2id$v=19$m=19456,t=2,p=1$x", "$2b$12$abcdefghijklmnopqrstuv",
        "$argon2id$v=19$m=4194304,t=2,p=1$aGVsaW9ncmFwaHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=19456,t=200,p=1$aGVsaW9ncmFwaHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ],
)  # fmt: skip
def test_what_cannot_be_checked_is_refused_at_import(text: str) -> None:
    with pytest.raises(BadHash):
        import_hash(text)


class Counting:
    """Stands in for `verify`."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, stored: str | None, password: bytes) -> bool:
        self.calls += 1
        return stored is not None and stored.encode() == password


async def test_a_success_is_remembered_for_five_minutes_and_a_failure_never(monkeypatch: pytest.MonkeyPatch) -> None:
    count, now = Counting(), [1000.0]
    monkeypatch.setattr(passwords, "verify", count)
    checker = PasswordChecker(clock=lambda: now[0])
    for expected in (1, 1):
        assert await checker.check("pw", b"pw") and count.calls == expected
    for expected in (2, 3):
        assert not await checker.check("pw", b"no") and count.calls == expected
    assert not await checker.check("changed", b"pw")  # a changed password is forgotten at once
    assert not await checker.check(None, b"pw")
    now[0] += passwords.CACHE_SECONDS + 1
    count.calls = 0
    assert await checker.check("pw", b"pw") and count.calls == 1
    checker.close()


async def test_what_is_asked_at_once_is_checked_once_and_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    count = Counting()
    monkeypatch.setattr(passwords, "verify", count)
    monkeypatch.setattr(passwords, "CACHE_ENTRIES_MAX", 3)
    checker = PasswordChecker()
    assert all(await asyncio.gather(*(checker.check("pw", b"pw") for _ in range(5)))) and count.calls == 1
    for n in range(10):
        assert await checker.check(f"{n}", b"%d" % n)
    assert len(checker._known) == 3 and not checker._running
    assert b"pw" not in b"".join(checker._known)
    checker.close()

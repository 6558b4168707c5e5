"""A seal is judged as the library judges it, though it is spared the work on the text."""

from __future__ import annotations

import base64
import re

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mail import seal
from mail.seal import relaxed_text
from mail.unsealing import Claim, is_true

KEY = Ed25519PrivateKey.generate()
RECORD = f"v=DKIM1; k=ed25519; p={base64.b64encode(KEY.public_key().public_bytes_raw()).decode()}"
FORMS = [(b"relaxed", b"relaxed"), (b"simple", b"relaxed"), (b"relaxed", b"simple"), (b"simple", b"simple")]
PARTS = st.sampled_from([b"a", b" ", b"\t", b"  ", b"\r\n", b".", b"\r\n\r\n"])
TEXTS = st.lists(PARTS, max_size=40).map(lambda parts: b"".join(parts) + (b"\r\n" if parts else b""))  # as SMTP has it


def sealed(text: bytes, form: tuple[bytes, bytes]) -> bytes:
    content = b"From: a@b.example\r\nSubject:  two\t words \r\n\r\n" + text
    secret = base64.b64encode(KEY.private_bytes_raw())
    return (
        dkim.sign(content, b"s", b"b.example", secret, canonicalize=form, signature_algorithm=b"ed25519-sha256")
        + content
    )


@pytest.mark.parametrize("form", FORMS)
@given(TEXTS, TEXTS)
def test_what_the_library_finds_true_is_true_and_nothing_else(
    form: tuple[bytes, bytes], text: bytes, other: bytes
) -> None:
    good = sealed(text, form)
    assert is_true(good, Claim(0, "", ()), RECORD)
    changed = good[: len(good) - len(text)] + other
    expected = dkim.verify(changed, dnsfunc=lambda name, timeout=5: RECORD.encode())
    assert is_true(changed, Claim(0, "", ()), RECORD) == expected


@given(TEXTS)
def test_a_text_in_pieces_is_the_same(text: bytes) -> None:
    whole, kept = relaxed_text(text), seal.PIECE_OCTETS
    try:
        for seal.PIECE_OCTETS in range(1, 5):
            assert relaxed_text(text) == whole
    finally:
        seal.PIECE_OCTETS = kept


def test_a_large_text_is_cut() -> None:
    text = b"a  b\t\tc \r\n" * 20_000
    pieces = list(seal._pieces(text))
    assert b"".join(pieces) == text and max(map(len, pieces)) < 2 * seal.PIECE_OCTETS
    assert relaxed_text(text) == re.sub(rb" \r\n", b"\r\n", re.sub(rb"[ \t]+", b" ", text))

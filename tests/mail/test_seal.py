"""What leaves is signed so that others' verifiers agree."""

from __future__ import annotations

import base64

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from mail.headers import split_message
from mail.seal import SealKey, hash_message, relaxed_text, seal
from mail.sealing import ed25519_key, private_pem, read_private, rsa_key

RSA = rsa.generate_private_key(65537, 2048)
EDDY = ed25519.Ed25519PrivateKey.generate()
KEYS: tuple[SealKey, ...] = (rsa_key("r1", RSA), ed25519_key("e1", EDDY))
NOW = 1_800_000_000.0
MESSAGE = (
    b"From: Bob <bob@fabric.test>\r\nTo: carol@peer.test\r\nSubject:  spaces \t  and\r\n\tfolds\r\n"
    b"Date: Fri, 1 Jan 2027 00:00:00 +0000\r\nMessage-ID: <1@fabric.test>\r\n\r\nHello  there \t\r\n\r\nBye\r\n\r\n\r\n"
)


def published(name: bytes, timeout: int = 5) -> bytes:
    if name.startswith(b"r1."):
        raw = RSA.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b"v=DKIM1; k=rsa; p=" + base64.b64encode(raw)
    return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(EDDY.public_key().public_bytes_raw())


def sealed(message: bytes, own: bytes = b"", now: float = NOW) -> bytes:
    fields = [(n.decode().lower(), v) for n, _, v in (line.partition(b":") for line in own.split(b"\r\n") if line)]
    return seal(hash_message(*split_message(message)), fields, "fabric.test", KEYS, now) + own + message


def verdicts(message: bytes) -> list[bool]:
    return [_verdict(message, index) for index in range(len(KEYS))]


def _verdict(message: bytes, index: int) -> bool:
    try:
        return bool(dkim.DKIM(message).verify(idx=index, dnsfunc=published))
    except dkim.DKIMException:
        return False


@pytest.fixture(autouse=True)
def _its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dkim.time.time", lambda: NOW)


def test_both_signatures_hold() -> None:
    assert verdicts(sealed(MESSAGE)) == [True, True]


def test_a_copys_own_fields_are_signed() -> None:
    own = b"List-Unsubscribe: <https://mail.fabric.test/x>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    whole = sealed(MESSAGE, own)
    assert verdicts(whole) == [True, True]
    assert verdicts(whole.replace(b"test/x>", b"test/y>")) == [False, False]


@pytest.mark.parametrize("field", [b"From: e@x.test", b"Subject: other", b"Reply-To: e@x.test", b"List-Id: <x.test>"])
def test_nothing_can_be_added(field: bytes) -> None:
    assert verdicts(field + b"\r\n" + sealed(MESSAGE)) == [False, False]
    assert verdicts(sealed(MESSAGE).replace(b"\r\n\r\nHello", b"\r\n" + field + b"\r\n\r\nHello")) == [False, False]


def test_equal_names_are_hashed_from_the_bottom_up() -> None:
    assert verdicts(sealed(b"To: dave@peer.test\r\nCc: a@x.test\r\nCc: b@x.test\r\n" + MESSAGE)) == [True, True]


def test_changed_text_is_seen() -> None:
    assert verdicts(sealed(MESSAGE).replace(b"Bye", b"Buy")) == [False, False]


def test_it_ends() -> None:
    assert verdicts(sealed(MESSAGE, now=NOW - 8 * 86_400)) == [False, False]


def test_no_line_is_too_long() -> None:
    lines = sealed(MESSAGE).split(b"\r\n\r\n")[0].split(b"\r\n")
    assert max(map(len, lines)) <= 120


TEXTS = st.lists(st.sampled_from([b"a", b" ", b"\t", b"\r\n", b".", "\u00e9".encode()]), max_size=40).map(b"".join)


@given(TEXTS)
def test_any_text_is_hashed_as_others_hash_it(text: bytes) -> None:
    if text and not text.endswith(b"\r\n"):
        text += b"\r\n"
    assert verdicts(sealed(MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + text)) == [True, True]


def test_an_empty_text_hashes_to_nothing() -> None:
    assert relaxed_text(b"\r\n\r\n") == b"" and relaxed_text(b" \t\r\n") == b""


def test_a_key_is_read_as_it_was_kept_and_a_damaged_one_is_told() -> None:
    for key in (RSA, EDDY):
        assert private_pem(read_private(private_pem(key))) == private_pem(key)
    der = RSA.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    modulus = RSA.public_key().public_numbers().n
    der = der.replace(modulus.to_bytes(256), (modulus ^ 4).to_bytes(256))  # one bit
    damaged = b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(der) + b"-----END PRIVATE KEY-----\n"
    small = private_pem(rsa.generate_private_key(65537, 1024))
    for bad, words in ((damaged, "damaged"), (small, "2048 bits"), (b"nonsense", "PEM")):
        with pytest.raises(ValueError, match=words):
            read_private(bad)

"""Only a host of the fabric is believed, and only for what it signed."""

from __future__ import annotations

import base64
import time

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.control import CreateSource, FollowFeed, Goodbye, Subscribe, Welcome, add_controls, read_controls
from mail.headers import Headers, split_message
from mail.signature import carries_fabric_fields, is_proven, prove, sign, signer

PRIVATE = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
KEY, PUBLIC = PRIVATE.private_bytes_raw(), PRIVATE.public_key().public_bytes_raw()
POST = b"Heliograph-Source: bob\r\nHeliograph-Post: 1\r\nFrom: bob@fabric.test\r\nSubject: x\r\n\r\ntext\r\n"


def key_of(host: str) -> bytes | None:
    return PUBLIC if host == "host-1" else None


def signed(content: bytes = POST, domain: str = "fabric.test", host: str = "host-1") -> bytes:
    return sign(content, domain=domain, host=host, key=KEY)


def believed(content: bytes) -> str:
    return signer(content, domain="fabric.test", key_of=key_of)


def test_a_host_is_believed() -> None:
    assert believed(signed()) == "host-1"
    assert believed(b"Received: from somewhere\r\n" + signed()) == "host-1"


def test_a_host_is_believed_whose_clock_is_days_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = time.time() + 3 * 86_400
    with monkeypatch.context() as there:
        there.setattr(time, "time", lambda: ahead)
        content = signed()
    assert believed(content) == "host-1"


@pytest.mark.parametrize(
    "forgery",
    [
        POST,
        signed(domain="evil.test"),
        signed(host="host-9"),
        signed().replace(b"text\r\n", b"other\r\n"),
        signed().replace(b"Post: 1", b"Post: 2"),
        b"Heliograph-Post: 2\r\n" + signed(),
        b"heliograph-control: welcome source=x from=1 generation=9\r\n" + signed(),
        signed().replace(b"\r\n\r\n", b"\r\nHeliograph-Authenticated: alice\r\n\r\n", 1),
        b"From: eve@evil.test\r\n" + signed(),
        b"Subject: what bob never said\r\n" + signed(),
        b"Content-Type: text/html\r\n" + signed(),
        b"Reply-To: eve@evil.test\r\n" + signed(),
        b"List-Unsubscribe: <https://evil.test/>\r\n" + signed(),
        signed().replace(b"Subject: x\r\n", b"Subject: x\r\nContent-Transfer-Encoding: base64\r\n"),
        signed().replace(b"h=from", b"h=subject"),
        b"DKIM-Signature: v=1; d=fabric.fabric.test; s=host-1; h=heliograph-post\r\n" + POST,
        b"DKIM-Signature: \r\n" * 20 + POST,
    ],
)
def test_a_forgery_is_not(forgery: bytes) -> None:
    assert believed(forgery) == ""


def test_what_the_library_signs_and_verifies_alone_is_signed_and_verified_here() -> None:
    """Hosts of other versions leave all of it to the library."""
    txt = b"v=DKIM1; k=ed25519; p=" + base64.b64encode(PUBLIC)
    for text in (b"", b"text", b"text\r\n", b"a \r\n\r\n.\r\n\r\n\r\n", b"\r\n\r\n"):
        post = POST.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + text
        assert dkim.verify(signed(post), dnsfunc=lambda name, timeout=5: txt), text
        names = [b"from", b"heliograph-source", b"heliograph-post"]
        theirs = dkim.DKIM(post, signature_algorithm=b"ed25519-sha256").sign(
            b"host-1", b"fabric.fabric.test", base64.b64encode(KEY), include_headers=[*names, *names]
        )
        assert believed(theirs + post) == "host-1", text


def test_lines_without_end_cost_a_signature_no_time() -> None:
    """Any stranger may send such mail, with names of hosts in it, and it is looked at in the event loop."""
    post = POST + b"\r\n" * 5_000_000
    forged = signed(post).replace(b"Post: 1", b"Post: 2")
    began = time.process_time()
    assert believed(signed(post)) == "host-1"
    assert believed(forged.partition(b"Heliograph-Source")[0] * 7 + forged) == ""
    assert time.process_time() - began < 2.0  # 0.2 s; cut into lines, and hashed for each, 20


def test_another_host_s_key_is_not_this_one_s() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32).private_bytes_raw()
    assert believed(sign(POST, domain="fabric.test", host="host-1", key=other)) == ""


def test_fabric_fields_are_noticed_however_they_are_spelled() -> None:
    assert carries_fabric_fields(b"A: b\r\nHELIOGRAPH-post : 1\r\n\r\n")
    assert not carries_fabric_fields(b"A: Heliograph-Post: 1\r\n\r\nHeliograph-Post: 1\r\n")


def test_a_proof_is_good_for_one_nonce_and_one_pair_of_hosts() -> None:
    proof = prove(KEY, nonce="n", client="host-1", server="host-2")
    assert is_proven(PUBLIC, proof, nonce="n", client="host-1", server="host-2")
    assert not is_proven(PUBLIC, proof, nonce="m", client="host-1", server="host-2")
    assert not is_proven(PUBLIC, proof, nonce="n", client="host-3", server="host-2")
    assert not is_proven(PUBLIC, proof, nonce="n", client="host-1", server="host-3")
    assert not is_proven(PUBLIC, "junk!", nonce="n", client="host-1", server="host-2")


@settings(max_examples=60)
@given(
    st.text(min_size=1, max_size=60),
    st.integers(0, 10**9),
    st.sampled_from(["INBOX", "News & more", "Ünïcode/=%", "a b"]),
)
def test_controls_survive_the_mail(text: str, number: int, folder: str) -> None:
    controls = [
        Welcome("bob", number, 3, folder),
        Goodbye("bob", number, 4),
        CreateSource("bob", "bob", "".join(c for c in text if c.isprintable()), 3),
        Subscribe("bob", "alice@fabric.test", folder, False),
        FollowFeed("https://example.org/a?b=c&d=ä b", "alice@fabric.test", folder),
    ]
    content = add_controls(b"From: x@y\r\n\r\n", *controls)
    assert read_controls(Headers.parse(split_message(content)[0])) == controls


@pytest.mark.parametrize(
    "value", ["", "dance source=x", "welcome source=x", "welcome source=x from=one generation=1", "goodbye"]
)
def test_a_control_that_cannot_be_read_is_a_value_error(value: str) -> None:
    with pytest.raises(ValueError):
        read_controls(Headers.parse(b"Heliograph-Control: " + value.encode() + b"\r\n"))

"""What the stamp does with mail that is no post, or not ours."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from directory.names import FabricNames
from directory.snapshot import Directory
from heliograph.postmark import Postmark
from mail.sealing import seal_key
from spool.queue import Message

ZONE = Directory(FabricNames("fabric.test", 64), 1, {}, (), ())
KEYS = (seal_key("e1", Ed25519PrivateKey.generate()),)
PATH = "bob+bounce.abcdefghijklmnopqrstuvwx@reflectors.fabric.test"


def stamped(content: bytes, signed_by: str = "host-1", keys: bool = True, to: str = "zoe@peer.test") -> bytes:
    stamp = Postmark(lambda: ZONE, lambda: KEYS if keys else (), "https://mail.fabric.test")
    departing = stamp(content, Message(1, "", 1, "", signed_by, 0.0, "", 0, 0), stamp.sort(to))
    return departing.front(PATH, 1_800_000_000.0) + departing.content + departing.back(PATH)


def test_what_only_looks_like_a_post_is_none() -> None:
    strange = b"From: alice@fabric.test\r\nHeliograph-Source: bob\r\nSubject: x\r\n\r\ny\r\n"
    assert b"via fabric.test" not in stamped(strange, signed_by="") and b"List-Unsub" not in stamped(strange, "")
    assert b"via fabric.test" in stamped(strange) and b"List-Unsubscribe-Post" in stamped(strange)
    assert b"Heliograph" not in stamped(strange, "") + stamped(strange)


def test_a_strangers_word_is_not_signed_by_us() -> None:
    for author in ("zoe@peer.test", "zoe@notfabric.test", "alice@fabric.test, zoe@peer.test", "alice@fabric.test.x"):
        content = f"From: {author}\r\n\r\ny\r\n".encode()
        assert stamped(content) == content
    assert stamped(b"From: alice@fabric.test\r\nFrom: zoe@peer.test\r\n\r\ny\r\n").startswith(b"From")
    assert stamped(b"From: mailer-daemon@host-1.fabric.test\r\n\r\ny\r\n").startswith(b"DKIM-Signature: ")


def test_without_a_key_a_post_leaves_unsigned_and_whole() -> None:
    found = stamped(b"From: bob@fabric.test\r\nHeliograph-Source: bob\r\n\r\ny\r\n", keys=False)
    assert found.startswith(b"List-Unsubscribe: ") and b"DKIM" not in found

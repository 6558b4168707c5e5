"""What the stamp does with mail that is no post, or not ours."""

from __future__ import annotations

import base64
import email
import email.policy
import time
import tracemalloc
from email.message import EmailMessage

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from directory.names import FabricNames
from directory.snapshot import Directory
from heliograph.outside.postmark import Postmark
from mail.footer import field_of
from mail.sealing import seal_key
from spool.queue import Message

ZONE = Directory(FabricNames("fabric.test", 64), 1, {}, (), ())
KEY = Ed25519PrivateKey.generate()
KEYS = (seal_key("e1", KEY),)
ABOUT = Message(1, "", 1, "", "host-1", 0.0, "", 0, 0)
PATH = "bob+bounce.abcdefghijklmnopqrstuvwx@reflectors.fabric.test"


def stamped(content: bytes, signed_by: str = "host-1", keys: bool = True, to: str = "zoe@peer.test") -> bytes:
    stamp = Postmark(lambda: ZONE, lambda: KEYS if keys else (), "https://mail.fabric.test")
    departing = stamp(content, ABOUT._replace(signed_by=signed_by), stamp.sort(to))
    return departing.front(PATH, time.time()) + departing.content + departing.back(PATH)


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


LINK = f"https://mail.fabric.test/unsubscribe/bob/b{ZONE.names.bucket('bob')}/abcdefghijklmnopqrstuvwx"
HEAD = b"From: bob@fabric.test\r\nHeliograph-Source: bob\r\nHeliograph-Post: 7\r\nMIME-Version: 1.0\r\n"
KINDS = {
    "plain": b"\r\nhello \r\n\r\n\r\n",
    "dots": b"\r\n.\r\n..\r\n",
    "empty": b"\r\n",
    "eight bits": b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc\t \r\n",
    "base64": b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(b"hello\n" * 9) + b"\r\n",
    "html": b"Content-Type: text/html\r\n\r\n<p>hello\r\n\r\n",
    "mixed": b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\r\nhello\r\n--m--\r\n\r\n\r\n",
}


def is_sealed(content: bytes) -> bool:
    public = base64.b64encode(KEY.public_key().public_bytes_raw())
    return bool(dkim.verify(content, dnsfunc=lambda name, timeout=5: b"v=DKIM1; k=ed25519; p=" + public))


def last_text(content: bytes) -> str:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return str(list(message.walk())[-1].get_content()).replace("\r\n", "\n")


@pytest.mark.parametrize("words", ["Bob\u2019s list", "Bob", "Bob\nLeave: %unsubscribe%"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_footer_is_sealed_with_the_rest_and_names_the_copys_own_way_out(kind: bytes, words: str) -> None:
    found = stamped(field_of(words) + HEAD + kind)
    assert is_sealed(found) and not is_sealed(found.removesuffix(b"\r\n") + b"x\r\n")
    assert last_text(found).endswith(f"-- \n{words.replace('%unsubscribe%', LINK)}\n")


def test_a_mirror_gets_what_it_gets_without_a_footer() -> None:
    mirror = "bob=fabric.test@reflectors.peer.test"
    for kind in KINDS.values():
        with_footer = stamped(field_of("Bob %unsubscribe%") + HEAD + kind, to=mirror)
        assert with_footer == stamped(HEAD + kind, to=mirror) and is_sealed(with_footer)
    for reader in ("bob=other.test@reflectors.peer.test", "bob=fabric.test@peer.test", "bob@reflectors.peer.test"):
        assert b"Bob" in stamped(field_of("Bob") + HEAD + b"\r\nhello\r\n", to=reader)


def test_a_footer_that_no_host_vouches_for_is_none() -> None:
    content = field_of("Bob") + HEAD + b"\r\nhello\r\n"
    assert b"Bob" not in stamped(content, signed_by="") and b"Bob" not in stamped(content.replace(b"-Source", b"-S"))


def test_a_fault_of_ours_leaves_a_post_without_its_footer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heliograph.outside.postmark.foot", lambda *given: 1 // 0)
    found = stamped(field_of("Bob") + HEAD + b"\r\nhello\r\n")
    assert found.endswith(b"\r\n\r\nhello\r\n") and is_sealed(found)


def test_a_footer_costs_a_large_post_no_more_than_one_copy_of_it() -> None:
    content = HEAD + b"Content-Type: text/html\r\n\r\n" + b"<p>hello</p>\r\n" * 300_000

    def held(content: bytes) -> tuple[int, int]:
        """Octets that stay, and the most that there were."""
        stamp = Postmark(lambda: ZONE, lambda: KEYS, "https://mail.fabric.test")
        tracemalloc.start()
        departing = stamp(content, ABOUT, "")
        found = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(departing.content) > len(content) - 500
        return found

    for words in ("Bob", "Bob %unsubscribe%"):
        (stays, most), (_, without) = held(field_of(words) + content), held(content)
        assert stays < 1.1 * len(content) and most < without + 1.1 * len(content)

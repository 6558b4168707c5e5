"""Signatures, against dnspython's own; keys in a file; what is said to who signs wrong."""

from __future__ import annotations

import asyncio
import base64
import socket
import time
from pathlib import Path

import dns.asyncquery
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.zone
import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory import keys, tsig, wire
from directory.keys import BadKeys, key_text, read_keys
from directory.transfer_in import Primary, TransferFailed, fetch
from directory.tsig import Asked, Key, Signer, Stamp, Verifier, check
from tests.directory import fabricated
from tests.directory.fabricated import until
from tests.directory.test_service import Fabric, fabric, moved

__all__ = ["fabric"]

NOW = 1_800_000_000
SECRET = bytes(range(32))
KEY = Key(wire.name_of("ops.fabric.test"), wire.name_of("hmac-sha256"), SECRET)
KEYS = {KEY.name: KEY}
RING = dns.tsigkeyring.from_text({"ops.fabric.test.": ("hmac-sha256", base64.b64encode(SECRET).decode())})


def signed(key: Key = KEY, when: float = NOW) -> bytes:
    return Signer(key).sign(dns.message.make_query("fabric.test", "SOA", id=7).to_wire(), when)


def refused(message: bytes, now: float = NOW) -> tuple[int, int]:
    """The codes of an answer that refuses: the header's, and the TSIG's."""
    answer = check(message, KEYS, now)
    assert isinstance(answer, bytes)
    stamp = tsig.stamp_of(answer, wire.read_question(answer).end, 1)
    return answer[3] & 15, stamp.error if stamp else 0


@pytest.mark.parametrize("algorithm", [wire.text_of(name) for name in tsig.ALGORITHMS])
def test_what_dnspython_signs_is_believed_and_the_other_way_round(algorithm: str) -> None:
    ring = dns.tsigkeyring.from_text({"a.key.": (algorithm, base64.b64encode(SECRET).decode())})
    query = dns.message.make_query("fabric.test", "SOA")
    query.use_tsig(ring, "a.key.", algorithm=algorithm)
    key = Key(wire.name_of("a.key"), wire.name_of(algorithm), SECRET)
    asked = check(query.to_wire(), {key.name: key}, time.time())
    assert isinstance(asked, Asked) and asked.key == key
    plain = dns.message.make_response(dns.message.from_wire(asked.message)).to_wire()
    reply = Signer(key, asked.mac).sign(plain, time.time())
    assert len(reply) - len(plain) == key.stamp_octets
    read = dns.message.from_wire(reply, keyring=ring, request_mac=asked.mac)
    assert read.had_tsig and read.tsig_error == 0


def test_who_signs_wrong_is_told_how() -> None:
    other = Key(KEY.name, KEY.algorithm, bytes(32))
    assert refused(signed(other)) == (wire.NOTAUTH, tsig.BADSIG)
    assert refused(signed(Key(b"\1x\0", KEY.algorithm, SECRET))) == (wire.NOTAUTH, tsig.BADKEY)
    assert refused(signed(Key(KEY.name, wire.name_of("hmac-sha1"), SECRET))) == (wire.NOTAUTH, tsig.BADKEY)


@pytest.mark.parametrize("skew", [-301, 301])
def test_five_minutes_are_the_most_that_clocks_may_differ(skew: int) -> None:
    assert isinstance(check(signed(), KEYS, NOW + skew // abs(skew) * 300), Asked)
    message = signed()
    assert refused(message, NOW + skew) == (wire.NOTAUTH, tsig.BADTIME)
    answer = check(message, KEYS, NOW + skew)
    assert isinstance(answer, bytes)  # signed, and tells our time (RFC 8945 5.2.3)
    stamp = tsig.stamp_of(answer, wire.read_question(answer).end, 1)
    assert stamp and int.from_bytes(stamp.other, "big") == NOW + skew and len(stamp.mac) == 32 and stamp.when == NOW


@given(st.integers(min_value=12), st.integers(1, 255))
def test_no_octet_can_be_changed(at: int, by: int) -> None:
    message = bytearray(signed())
    message[12 + at % (len(message) - 12)] ^= by
    answer = check(bytes(message), KEYS, NOW)
    if isinstance(answer, Asked) and answer.key:  # only the case of the key's or the algorithm's name can have changed
        untouched = check(signed(), KEYS, NOW)
        assert by == 32 and isinstance(untouched, Asked) and answer.message == untouched.message


@given(st.binary(max_size=300))
def test_no_octets_are_a_surprise(octets: bytes) -> None:
    check(signed()[:40] + octets + b"\0\0\xfa\0\xff", KEYS, NOW)
    check(bytes(12) + octets + b"\0\0\xfa\0\xff", KEYS, NOW)


# --- a transfer's many messages, as its client hears them


def heard(messages: list[bytes], asked: bytes, now: float = NOW) -> None:
    """Hear them all; Malformed where they are not to be believed."""
    verifier = Verifier(KEY, asked)
    for message in messages:
        verifier.take(message, wire.read_question(message).end, now)
    verifier.done()


def said(count: int, every: int = 1, key: Key = KEY) -> tuple[list[bytes], bytes]:
    """Messages of which each `every`th is signed, over those before it too (RFC 8945 5.3.1), and the question's MAC."""
    stamp = Stamp(key.name, key.algorithm, NOW, 300, b"", 0, 0, b"", 0)
    messages, prior, pending = [], b"question's MAC", b""
    for number in range(count):
        message = dns.message.make_query("fabric.test", "AXFR", id=number).to_wire()
        if number % every:
            messages.append(message)
            pending += message
            continue
        covered = stamp.timers() if number else stamp.variables()
        prior = key.mac(len(prior).to_bytes(2, "big"), prior, pending, message, covered)
        messages.append(tsig._appended(message, stamp, prior))
        pending = b""
    return messages, b"question's MAC"


@pytest.mark.parametrize(("count", "every"), [(1, 1), (5, 1), (5, 2), (201, 100)])
def test_a_transfer_may_be_signed_with_gaps(count: int, every: int) -> None:
    heard(*said(count, every))


def test_a_transfer_is_not_believed_that_is_altered_cut_or_not_signed() -> None:
    messages, mac = said(5)
    plain = dns.message.make_query("fabric.test", "AXFR", id=9).to_wire()
    for wrong, words in [
        ([plain, *messages], "not signed"),
        ([*messages, plain], "the end of the answer is not signed"),
        ([messages[0], *messages[2:]], "wrong signature"),
        ([messages[0], plain, *messages[1:]], "wrong signature"),
        ([messages[1], messages[0]], "wrong signature"),
        ([*messages[:3], said(5, key=Key(KEY.name, KEY.algorithm, bytes(32)))[0][3]], "wrong signature"),
        ([messages[0], *[plain] * 100], "not signed"),
        ([], "the end"),
    ]:
        with pytest.raises(wire.Malformed, match=words):
            heard(wrong, mac)
    with pytest.raises(wire.Malformed, match="wrong signature"):
        heard(messages, b"another question's")
    with pytest.raises(wire.Malformed, match="another time"):
        heard(messages, mac, NOW + 301)


# --- the file


def test_a_file_of_keys_is_bind_s(tmp_path: Path) -> None:
    text = '// ours\nkey "A.b" {\n  algorithm HMAC-SHA512; /* long */ secret "YWJj"; };\n# next\n' + key_text(
        "ops", SECRET
    )
    read = read_keys(text)
    assert read == {
        b"\1a\1b\0": Key(b"\1a\1b\0", wire.name_of("hmac-sha512"), b"abc"),
        b"\3ops\0": Key(b"\3ops\0", wire.name_of("hmac-sha256"), SECRET),
    }
    assert "YWJj" not in repr(read) and repr(SECRET) not in repr(read)
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(0o640)
    with pytest.raises(BadKeys, match="chmod 600"):
        keys.load(path)
    path.chmod(0o600)
    assert keys.load(path) == read


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("zone x {};", "1: 'zone' is no key"),
        ('\nkey "a" { algorithm hmac-md5; secret "YWJj"; };', "2: the algorithm of key a is none of hmac-sha1"),
        ('key "a" { algorithm hmac-sha256; secret "%"; };', "1: the secret of key a is no base64"),
        ('key "a" { algorithm hmac-sha256; };', "1: the secret of key a"),
        ('key "a b" { };', "1: write key"),
        ('key "a" { colour red; };', "1: write key"),
        ('key "a" { algorithm', "1: a key that is not closed"),
        ('key "a', "1: a quotation mark"),
        (key_text("a", b"1") * 2, "5: a second key a"),
    ],
)
def test_a_mistake_in_a_file_of_keys_has_its_line(text: str, words: str) -> None:
    with pytest.raises(BadKeys) as bad:
        read_keys(text)
    assert words in str(bad.value)


# --- hosts that sign


async def test_hosts_with_a_key_transfer_and_are_notified(fabric: Fabric) -> None:
    primary, second = fabric.host(1, keys=KEYS, transfer_key=KEY.name), fabric.host(2, keys=KEYS, transfer_key=KEY.name)
    await primary.start()
    await second.start()
    fabric.write(fabricated.text(fabric.net, serial=11).replace("b3.timeline MX 10 host-2", "b3.timeline MX 10 host-3"))
    await until(moved(second, "host-3"))
    assert second.current.serial == 11


async def test_without_the_key_nobody_transfers_or_rings(fabric: Fabric) -> None:
    await fabric.host(1, keys=KEYS, transfer_key=KEY.name).start()
    second = fabric.host(2, keys=KEYS, transfer_key=KEY.name)
    await second.start()
    origin, address = wire.name_of("fabric.test"), f"{fabric.net}.1"
    wrong = Key(KEY.name, KEY.algorithm, bytes(32))
    with pytest.raises(TransferFailed, match="refused"):
        await fetch(Primary(address, fabric.dns_port, f"{fabric.net}.3"), origin, None)
    with pytest.raises(TransferFailed, match="BADSIG"):
        await fetch(Primary(address, fabric.dns_port, f"{fabric.net}.3", wrong), origin, None)
    assert await fetch(Primary(address, fabric.dns_port, f"{fabric.net}.9", KEY), origin, None)
    notify = dns.message.make_query("fabric.test", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    where = {"port": fabric.dns_port, "source": address, "timeout": 5}
    assert (await dns.asyncquery.udp(notify, f"{fabric.net}.2", **where)).rcode() == dns.rcode.REFUSED
    notify.use_tsig(RING)
    assert (await dns.asyncquery.udp(notify, f"{fabric.net}.2", **where)).rcode() == dns.rcode.NOERROR


async def test_a_primary_that_does_not_sign_is_not_believed(fabric: Fabric) -> None:
    await fabric.start(1)
    primary = Primary(f"{fabric.net}.1", fabric.dns_port, f"{fabric.net}.2", KEY)
    with pytest.raises(TransferFailed, match="BADKEY"):
        await fetch(primary, wire.name_of("fabric.test"), None)


async def test_dnspython_transfers_with_the_key_from_anywhere(fabric: Fabric) -> None:
    await fabric.host(1, keys=KEYS).start()

    def transfer() -> dns.zone.Zone:
        return dns.zone.from_xfr(
            dns.query.xfr(
                f"{fabric.net}.1",
                "fabric.test",
                port=fabric.dns_port,
                keyring=RING,
                timeout=5,
                source=f"{fabric.net}.77",
            )
        )

    assert len((await asyncio.to_thread(transfer)).nodes) > 20


async def test_a_secondary_of_the_operator_is_notified_and_told_the_serial(fabric: Fabric) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as foreign:
        foreign.setblocking(False)
        foreign.bind((f"{fabric.net}.53", 0))
        place: tuple[str, int] = foreign.getsockname()
        await fabric.host(1, keys=KEYS, transfer_key=KEY.name, notify_to=(place,)).start()
        async with asyncio.timeout(5):
            told = dns.message.from_wire(await loop.sock_recv(foreign, 1000), keyring=RING)
    assert told.opcode() == dns.opcode.NOTIFY and told.had_tsig and told.answer[0][0].serial == 10

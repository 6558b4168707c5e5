"""The words between fabrics, read without any socket: whatever a stranger writes, it neither raises nor takes long."""

from __future__ import annotations

import base64
import time

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from directory.bucket import bucket_of
from directory.names import FabricNames, Leaf, Reflector, Unknown
from heliograph.federation.fabrics import buckets_of
from heliograph.federation.flood import OCTETS, POSTS, Allowances
from heliograph.federation.wishes import Said, Wish, read_wish
from mail.address import MIRROR_OCTETS_MAX, is_source, mirror_name, mirrored, parse_address
from mail.between_fabrics import Word, read_word
from mail.headers import Headers, split_message
from mail.seal import hash_message, seal
from mail.sealing import published_text, seal_key
from mail.unsealing import Claim, claims, could_be_true, is_true, sealed_part
from reflector.fabric_wishes import is_mirror_of

NAMES = FabricNames("south.test", 100)
KEY = Ed25519PrivateKey.generate()


def test_a_mirror_lives_in_the_bucket_of_what_it_mirrors() -> None:
    bucket = bucket_of("bob@north.test", 100)
    for address in ("bob=north.test@reflectors.south.test", f"Bob=North.test@b{bucket}.reflectors.south.test"):
        assert NAMES.classify(parse_address(address)) == Reflector("bob=north.test", "", bucket)
    assert NAMES.reflector_inside("bob=north.test", "subscribe").partition("@")[2] == f"b{bucket}.reflectors.south.test"
    assert NAMES.classify(parse_address("bob=north.test+leaf@host-1.south.test")) == Leaf("bob=north.test", "host-1")


@pytest.mark.parametrize(
    "local",
    [
        "bob=south.test",
        "bob=north",
        "bob=a=b.test",
        "=north.test",
        "bob=",
        "bob=.test",
        "bob=-a.test",
        "postmaster=a.test",
    ],
)
def test_what_is_no_mirror(local: str) -> None:
    assert isinstance(NAMES.classify(parse_address(f"{local}@reflectors.south.test")), Unknown)


def test_nobody_has_a_mirrors_name_for_an_account() -> None:
    assert isinstance(NAMES.classify(parse_address("bob=north.test@south.test")), Unknown)


@given(st.text("abc.=-_0", max_size=60))
def test_names_and_mirrors_are_two_ways_to_say_the_same(name: str) -> None:
    source = mirrored(name)
    assert source is None or (mirror_name(*source) == name and is_source(name) and len(name) <= MIRROR_OCTETS_MAX)


@given(
    st.lists(st.text(max_size=80), max_size=3)
    | st.builds(lambda w: [str(w)], st.builds(Word, st.text(), st.integers()))
)
def test_words_are_read_strictly(values: list[str]) -> None:
    word = read_word(values)
    assert word is None or values == [str(word)]


@pytest.mark.parametrize(
    ("texts", "buckets"),
    [
        (["v=1 buckets=4096 hash=mmh3-32 seed=0"], 4096),
        (["v=spf1 -all", "v=1 buckets=7 hash=mmh3-32 seed=0"], 7),
        (["v=1 buckets=7 hash=mmh3-32 seed=0", "v=1 buckets=8 hash=mmh3-32 seed=0"], 0),
        (["v=1 buckets=0 hash=mmh3-32 seed=0"], 0),
        (["v=1 buckets=99999999 hash=mmh3-32 seed=0"], 0),
        (["v=1 buckets=²³ hash=mmh3-32 seed=0"], 0),
        (["v=1 buckets=7 hash=sha1 seed=0"], 0),
        (["v=2 buckets=7 hash=mmh3-32 seed=0"], 0),
        ([], 0),
    ],
)
def test_a_fabric_says_its_buckets(texts: list[str], buckets: int) -> None:
    assert buckets_of(texts) == buckets


@given(st.lists(st.text(), max_size=3))
def test_any_text_may_stand_there(texts: list[str]) -> None:
    assert 0 <= buckets_of(texts) <= 65_536


@pytest.mark.parametrize(
    ("address", "subject", "text", "wish"),
    [
        ("bob+subscribe@reflectors.north.test", "", "", Wish("subscribe", "bob=north.test", "north.test", True)),
        ("Bob+Unsubscribe@b7.reflectors.north.test", "", "", Wish("unsubscribe", "bob=north.test", "north.test", True)),
        (
            "bob-request@reflectors.north.test",
            "",
            "subscribe",
            Wish("subscribe", "bob=north.test", "north.test", False),
        ),
        ("bob@reflectors.north.test", "Subscribe", "", Wish("subscribe", "bob=north.test", "north.test", False)),
        ("bob@north.test", "unsubscribe", "", Wish("unsubscribe", "bob=north.test", "north.test", False)),
        ("bob@north.test", "subscribe folder=News", "", Wish("subscribe", "bob=north.test", "north.test", False)),
        ("bob@north.test", "to subscribe", "", None),
        ("bob@north.test", "", "subscribe", None),
        ("bob+subscribe@north.test", "", "", None),
        ("bob+leave.aaaaaaaaaaaaaaaaaaaaaaaa@reflectors.north.test", "subscribe", "", None),
        ("bob+help@reflectors.north.test", "subscribe", "", None),
        ("bob=east.test+subscribe@reflectors.north.test", "", "", None),  # no mirror of a mirror
        ("x" * 30 + "+subscribe@reflectors." + "y" * 20 + ".test", "", "", None),  # too long: she follows by herself
    ],
)
def test_wishes(address: str, subject: str, text: str, wish: Wish | None) -> None:
    assert read_wish(parse_address(address), Said(f"Subject: {subject}\r\n\r\n{text}\r\n".encode())) == wish


def test_whose_mirror_an_address_is() -> None:
    assert is_mirror_of("north.test", "bob", "bob=north.test@reflectors.south.test") == "south.test"
    for other in ("bob=north.test@south.test", "bob=east.test@reflectors.south.test", "bob@reflectors.south.test", ""):
        assert is_mirror_of("north.test", "bob", other) == ""


def sealed(content: bytes, domain: str = "north.test") -> bytes:
    return seal(hash_message(*split_message(content)), [], domain, [seal_key("s", KEY)], time.time()) + content


GOOD = b"From: bob@reflectors.north.test\r\nSubject: x\r\nList-Id: <bob.reflectors.north.test>\r\n\r\nText\r\n"


def test_a_seal_holds_for_what_it_covers() -> None:
    content = b"X-Extra: 1\r\n" + sealed(GOOD)
    (claim,) = claims(content, "north.test")
    assert claim.key_name == "s._domainkey.north.test" and is_true(content, claim, published_text(KEY))
    assert b"X-Extra" not in sealed_part(content, claim) and b"Subject: x" in sealed_part(content, claim)
    other = published_text(Ed25519PrivateKey.generate())
    assert not any(is_true(content, claim, key) for key in (other, "", "v=DKIM1; k=ed25519; p=", "p=%%%"))
    for check in (is_true, could_be_true):
        assert check(content, claim, published_text(KEY))
        assert not check(content.replace(b"Text", b"Test"), claim, published_text(KEY))
        assert not check(content.replace(b"Subject: x", b"Subject: y"), claim, published_text(KEY))


@given(
    st.lists(st.tuples(st.sampled_from(["Subject", "X-Loop", "To"]), st.text("ab \t;=é", max_size=30)), max_size=6),
    st.lists(st.text("ab \t", max_size=12), max_size=6),
    st.booleans(),
)
def test_the_quick_look_says_what_the_library_says(
    fields: list[tuple[str, str]], lines: list[str], by_library: bool
) -> None:
    head = b"From: bob@north.test\r\n" + b"".join(f"{name}: {value}\r\n".encode() for name, value in fields)
    content = head + b"\r\n" + "".join(f"{line}\r\n" for line in lines).encode()
    if by_library:
        relaxed, key = (b"relaxed", b"relaxed"), base64.b64encode(KEY.private_bytes_raw())
        algorithm = b"ed25519-sha256"
        content = (
            dkim.sign(content, b"s", b"north.test", key, canonicalize=relaxed, signature_algorithm=algorithm) + content
        )
        claim = Claim(0, "", _named(content))
    else:
        content = sealed(content)
        (claim,) = claims(content, "north.test")
    said = is_true(content, claim, published_text(KEY))
    assert could_be_true(content, claim, published_text(KEY)) == said


def _named(content: bytes) -> tuple[str, ...]:
    value = Headers.parse(split_message(content)[0]).all("dkim-signature")[0]
    (names,) = (part.partition("=")[2] for part in value.split(";") if part.strip().startswith("h="))
    return tuple("".join(names.split()).lower().split(":"))


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        sealed(GOOD, "evil.test"),
        sealed(GOOD.replace(b"bob@reflectors.north.test", b"bob@north.test.evil.test")),
        sealed(GOOD.replace(b"bob@reflectors.north.test", b"bob@notnorth.test")),
        b"Subject: y\r\n" + sealed(GOOD),
        b"From: a@north.test\r\n" + sealed(GOOD),
        sealed(GOOD).replace(b"v=1;", b"v=1; l=4;"),
        dkim.sign(
            GOOD, b"s", b"north.test", base64.b64encode(KEY.private_bytes_raw()), signature_algorithm=b"ed25519-sha256"
        )
        + GOOD,  # for ever
        sealed(GOOD).replace(b"h=from:", b"h="),
    ],
)
def test_what_is_not_even_looked_up(content: bytes) -> None:
    found = claims(content, "north.test")
    assert not any(is_true(content, claim, published_text(KEY)) for claim in found)


@given(st.binary(max_size=200), st.binary(max_size=100))
def test_no_seal_of_a_strangers_making_raises(value: bytes, text: bytes) -> None:
    head = b"DKIM-Signature: v=1; a=rsa-sha256; d=north.test; s=a; x=9; h=from; " + base64.b64encode(value[:20]) + b"; "
    for content in (value, head + value.replace(b"\n", b"") + b"\r\nFrom: a@north.test\r\n\r\n" + text):
        for claim in claims(content, "north.test"):
            assert not is_true(content, claim, published_text(KEY))


def test_an_allowance_is_one_mirrors_own_and_comes_back() -> None:
    allowances = Allowances()
    assert all(allowances.take("a", 10, 0.0) for _ in range(POSTS)) and not allowances.take("a", 10, 0.0)
    assert allowances.take("b", 10, 0.0) and allowances.take("a", 10, 100.0)
    assert not allowances.take("c", OCTETS + 1, 0.0) and allowances.take("c", OCTETS, 0.0)
    assert not allowances.take("c", 1_000_000, 1.0) and allowances.take("c", 1_000_000, 100.0)

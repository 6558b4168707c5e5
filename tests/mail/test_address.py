"""The one address grammar, and what must never pass it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.address import Address, BadAddress, is_entity, parse_address, parse_path


@pytest.mark.parametrize(
    "text",
    [
        "alice@fabric.test",
        "bob+confirm.abcdefghijklmnopqrstuvwx@reflectors.fabric.test",
        "a.b-c_d@[192.0.2.1]",
        '"quoted local"@example.org',
        "müller@exämple.org",
        "x@localhost",
    ],
)
def test_an_address_is_read_and_written_back(text: str) -> None:
    assert str(parse_address(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice",
        "@fabric.test",
        "alice@",
        "a b@fabric.test",
        "alice@fabric..test",
        "alice@-fabric.test",
        "al\rice@fabric.test",
        "al\nice@fabric.test",
        "al\x00ice@fabric.test",
        "al\x85ice@fabric.test",
        "alice@fab\x1bric.test",
        "=?iso-8859-1?q?=61=0d=0aRCPT?=@b1.example",
        "@relay:alice@fabric.test",
        ".alice@fabric.test",
        "alice.@fabric.test",
        "../../etc/passwd@b1\n",
        "a" * 65 + "@fabric.test",
        "a@" + ".".join(["x" * 60] * 5),
        "\ud800@fabric.test",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        parse_address(text)


def test_the_domain_is_lowered_and_the_local_part_kept() -> None:
    assert parse_address("Alice@Fabric.TEST") == Address("Alice", "fabric.test")
    assert parse_address("Bob+Subscribe@D.test").detail == ("bob", "subscribe")


def test_paths() -> None:
    assert parse_path("<>") is None
    assert parse_path("<a@b.test>") == Address("a", "b.test")
    for bad in ("a@b.test", "<a@b.test", "<<a@b.test>>", "<" + "a" * 60 + "@" + "b." * 120 + "test>"):
        with pytest.raises(BadAddress):
            parse_path(bad)


@given(st.text(max_size=80))
def test_whatever_is_accepted_is_clean(text: str) -> None:
    try:
        address = parse_address(text)
    except BadAddress:
        return
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in str(address))
    assert "=?" not in address.local
    assert parse_address(str(address)) == address


@pytest.mark.parametrize("name", ["alice", "a", "0x", "a.b-c_d", "a" * 30])
def test_entities(name: str) -> None:
    assert is_entity(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Alice",
        "-a",
        ".a",
        "a" * 31,
        "bob-request",
        "postmaster",
        "abuse",
        "follow",
        "a.",
        "a..b",
        "a\n",
        "a+b",
        "ä",
    ],
)
def test_what_is_no_entity(name: str) -> None:
    assert not is_entity(name)

"""What addresses mean; the wire format of buckets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.bucket import bucket_of, hash_of
from directory.names import FabricNames, Follow, Foreign, Leaf, Reflector, Role, Timeline, Unknown
from directory.snapshot import Directory, HostRecord
from mail.address import Address, is_entity, parse_address

NAMES = FabricNames("fabric.test", 4096)
ENTITY = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,29}", fullmatch=True).filter(is_entity)


def meaning(address: str) -> object:
    return NAMES.classify(parse_address(address))


def test_the_hash_is_a_wire_format() -> None:
    assert hash_of("alice") == 1280413405
    assert hash_of("hello") == 613153351
    assert bucket_of("alice", 4096) == 1280413405 % 4096
    assert hash_of("zoë@example.org") == hash_of("zoë@example.org") >= 0


@given(ENTITY)
def test_every_address_that_is_made_is_understood(entity: str) -> None:
    bucket = NAMES.bucket(entity)
    assert meaning(NAMES.person(entity)) == meaning(NAMES.timeline(entity)) == Timeline(entity, "", bucket)
    assert meaning(NAMES.reflector(entity)) == meaning(NAMES.reflector_inside(entity)) == Reflector(entity, "", bucket)
    assert meaning(NAMES.reflector(entity, "subscribe")) == Reflector(entity, "subscribe", bucket)
    assert meaning(NAMES.reflector_inside(entity, "bounce")) == Reflector(entity, "bounce", bucket)
    assert meaning(f"{entity}-request@reflectors.fabric.test") == Reflector(entity, "request", bucket)
    assert meaning(NAMES.leaf(entity, "host-2")) == Leaf(entity, "host-2")
    assert NAMES.local_entity(NAMES.person(entity).upper()) == entity
    assert NAMES.local_entity(NAMES.timeline(entity)) == entity


@given(st.text(max_size=40), st.text(max_size=60))
def test_no_address_is_too_odd_to_mean_something(local: str, domain: str) -> None:
    for end in ("", "fabric.test", ".fabric.test", ".timeline.fabric.test", ".reflectors.fabric.test"):
        name = NAMES.classify(Address(local, domain.lower() + end))
        assert isinstance(name, Timeline | Reflector | Leaf | Follow | Role | Foreign | Unknown)
        if isinstance(name, Timeline | Reflector):
            assert is_entity(name.entity) and 0 <= name.bucket < 4096
        assert isinstance(NAMES.local_entity(f"{local}@{domain}{end}"), str)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("follow@fabric.test", Follow(None)),
        ("follow@reflectors.fabric.test", Follow(None)),
        ("follow@b7.reflectors.fabric.test", Follow(7)),
        ("Postmaster@fabric.test", Role("postmaster")),
        ("abuse@b7.timeline.fabric.test", Role("abuse")),
        ("postmaster@host-1.fabric.test", Role("postmaster")),
        ("Alice+News@FABRIC.test", Timeline("alice", "news", NAMES.bucket("alice"))),
        ('"alice"@fabric.test', Timeline("alice", "", NAMES.bucket("alice"))),
        ("bob@example.org", Foreign("example.org")),
        ("bob@notfabric.test", Foreign("notfabric.test")),
        ("bob@test", Foreign("test")),
        # A sub-reflector stands in the bucket of its own name, and what it sent comes back to that.
        ("bob+sub.7@b1246.reflectors.fabric.test", Reflector("bob", "sub.7", 1246)),
        (f"bob+bounce.{'a2' * 12}@b1246.reflectors.fabric.test", Reflector("bob", "bounce." + "a2" * 12, 1246)),
        ("bob+Confirm.ABC@reflectors.fabric.test", Reflector("bob", "confirm.abc", NAMES.bucket("bob"))),
    ],
)
def test_means(address: str, name: object) -> None:
    assert meaning(address) == name


@pytest.mark.parametrize(
    "address",
    [
        "alice@b1.timeline.fabric.test",  # not her bucket
        "alice@b4096.timeline.fabric.test",
        "bob@b1.reflectors.fabric.test",
        "bob+sub.7@b412.reflectors.fabric.test",
        "bob+sub.07@b1246.reflectors.fabric.test",
        "bob+sub.0@reflectors.fabric.test",  # the root has a name already
        "bob+bounce.abc@b412.reflectors.fabric.test",
        "bob+sub.7@reflectors.fabric.test",
        "follow@b4096.reflectors.fabric.test",
        "follow@b07.reflectors.fabric.test",
        "follow@b7.timeline.fabric.test",
        "follow-request@reflectors.fabric.test",
        "postmaster+x@fabric.test",
        "postmaster-request@reflectors.fabric.test",
        "alice@x.b1.timeline.fabric.test",
        "alice@host-1.fabric.test",
        "bob+leaf@x.host-1.fabric.test",
        '"al ice"@fabric.test',
        '"a@b"@fabric.test',
        "\u212aevin@fabric.test",  # the Kelvin sign, whose lower case is an ASCII k
        "zoë@fabric.test",
    ],
)
def test_means_nothing(address: str) -> None:
    assert isinstance(meaning(address), Unknown)


@pytest.mark.parametrize(
    "address", ["alice@.fabric.test", "alice@..fabric.test", "alice", "@fabric.test", "a@b@fabric.test"]
)
def test_what_is_no_address_is_nobody(address: str) -> None:
    assert NAMES.local_entity(address) == ""


def test_a_snapshot_knows_owners_and_keys() -> None:
    names = FabricNames("fabric.test", 2)
    there = {"host-1": HostRecord("host-1", "192.0.2.1", b"k" * 32), "host-2": HostRecord("host-2", "192.0.2.2", None)}
    directory = Directory(names, 1, there, ("host-1", "host-2"), ("host-2", "host-1"))
    assert [directory.owner("timeline", 1), directory.owner("reflectors", 1)] == ["host-2", "host-1"]
    assert directory.host_of(Timeline("a", "", 0)) == directory.host_of(Reflector("a", "", 1)) == "host-1"
    assert directory.host_of(Follow(0)) == "host-2"
    assert directory.host_of(Leaf("a", "host-2")) == "host-2"
    assert [directory.host_of(name) for name in (Follow(None), Role("abuse"), Foreign("x"), Unknown(""))] == [""] * 4
    assert directory.key_of("host-1") == b"k" * 32
    assert directory.key_of("host-2") is directory.key_of("host-9") is None

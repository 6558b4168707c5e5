"""Who stands by for whom, as a zone says it and as the commands write it."""

from __future__ import annotations

from directory import wire
from directory.fabric import bucket_name, pair_of, to_directory
from directory.hosts import with_owners, with_standby, without_host
from directory.lint import lint
from directory.losses import with_heir
from directory.zone import Zone
from tests.directory import fabricated


def pairs(zone: Zone) -> list[tuple[str, str]]:
    return [pair_of(zone, zone.rdatas(bucket_name(zone, "timeline", bucket), wire.MX)) for bucket in range(8)]


def named(zone: Zone, host: str, standby: str) -> Zone:
    return Zone(zone.origin, with_standby(zone, host, standby))


def test_a_host_s_standby_is_named_in_all_its_buckets_of_both_maps() -> None:
    bare = fabricated.zone()
    assert to_directory(bare).standbys == {}
    zone = named(named(bare, "host-1", "host-2"), "host-2", "host-3")
    directory = to_directory(zone)
    assert directory.standbys == {"host-1": "host-2", "host-2": "host-3"}
    assert (directory.timeline, directory.reflectors) == (to_directory(bare).timeline, to_directory(bare).reflectors)
    assert lint(zone, buckets=8) == ()
    other = named(named(zone, "host-1", "host-3"), "host-2", "")
    assert to_directory(other).standbys == {"host-1": "host-3"} and lint(other, buckets=8) == ()
    assert named(other, "host-1", "").says_the_same(bare)


def test_what_moved_in_without_a_second_mx_costs_nobody_a_standby() -> None:
    text = fabricated.text() + "".join(
        f"$ORIGIN fabric.test.\nb{n}.timeline MX 20 {standby}\n" for n, standby in ((0, "host-2"), (3, "host-2"))
    )  # host-1 has six buckets: one of them names a standby; b3 is host-2's own
    assert to_directory(fabricated.zone(text)).standbys == {"host-1": "host-2"}


def test_moved_buckets_take_the_standby_of_their_new_host() -> None:
    zone = named(fabricated.zone(), "host-2", "host-3")
    moved = Zone(zone.origin, with_owners(zone, "timeline", {0: "host-2", 3: "host-1"}))
    assert pairs(moved)[0] == ("host-2", "host-3") and pairs(moved)[3] == ("host-1", "")
    assert lint(moved, buckets=8) == ()


def test_who_is_taken_out_stands_by_for_nobody() -> None:
    zone = fabricated.zone()
    zone = Zone(zone.origin, with_owners(zone, "timeline", dict.fromkeys(range(8), "host-1")))
    zone = Zone(zone.origin, with_owners(zone, "reflectors", dict.fromkeys(range(8), "host-1")))
    zone = named(zone, "host-1", "host-3")
    gone = Zone(zone.origin, without_host(zone, "host-3", ()))
    assert to_directory(gone).standbys == {} and not any("host-3" in p.text for p in lint(gone, buckets=8))
    lost = Zone(zone.origin, with_heir(zone, "host-3", "host-2"))
    assert to_directory(lost).lost == {"host-3": "host-2"}
    gone = Zone(zone.origin, without_host(lost, "host-3", ()))
    assert to_directory(gone).lost == {} and not any("host-3" in p.text for p in lint(gone, buckets=8))

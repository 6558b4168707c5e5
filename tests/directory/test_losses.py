"""What a zone says of a lost host, and what is refused of it."""

from __future__ import annotations

import pytest

from directory.fabric import to_directory
from directory.hosts import with_standby
from directory.lint import lint
from directory.losses import with_heir, without_loss
from directory.zone import Zone
from tests.directory import fabricated


def lost(zone: Zone, host: str, heir: str) -> Zone:
    return Zone(zone.origin, with_heir(zone, host, heir))


def test_the_heir_is_named_for_all_and_the_lost_host_for_nothing() -> None:
    zone = fabricated.zone()
    zone = Zone(zone.origin, with_standby(zone, "host-1", "host-2"))
    zone = Zone(zone.origin, with_standby(zone, "host-2", "host-1"))
    before, after = to_directory(zone), to_directory(lost(zone, "host-1", "host-2"))
    assert after.lost == {"host-1": "host-2"} and after.standbys == {}
    for which in ("timeline", "reflectors"):
        wanted = tuple("host-2" if host == "host-1" else host for host in getattr(before, which))
        assert getattr(after, which) == wanted
    assert after.hosts == before.hosts
    assert lint(lost(zone, "host-1", "host-2"), buckets=8) == ()


def test_an_heir_that_is_lost_too_has_an_heir_for_both() -> None:
    zone = lost(lost(fabricated.zone(), "host-1", "host-2"), "host-2", "host-3")
    assert to_directory(zone).lost == {"host-1": "host-3", "host-2": "host-3"}
    assert set(to_directory(zone).timeline) == {"host-3"} and lint(zone, buckets=8) == ()
    back = Zone(zone.origin, without_loss(zone, "host-1"))
    assert to_directory(back).lost == {"host-2": "host-3"} and lint(back, buckets=8) == ()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('_lost.host-9 TXT "v=1 heir=host-2"', "is of no host"),
        ('_lost.host-1 TXT "v=1 hair=host-2"', "does not say who has what it had"),
        ('_lost.host-1 TXT "v=2 heir=host-2"', "does not say who has what it had"),
        ('_lost.host-1 TXT "v=1 heir=host-1"', "no other host"),
        ('_lost.host-1 TXT "v=1 heir=host-9"', "no other host"),
        ('_lost.host-1 TXT "v=1 heir=host-2"', "names host-1, which the zone says is lost"),
    ],
)
def test_what_is_wrong_with_it_is_told_with_its_line(line: str, says: str) -> None:
    text = fabricated.text() + f"$ORIGIN fabric.test.\n{line}\n"
    found = [problem for problem in lint(fabricated.zone(text), buckets=8) if says in problem.text]
    assert found and found[0].line and found[0].remedy and not found[0].warning


def test_nobody_is_told_to_name_a_lost_host() -> None:
    text = fabricated.text() + '$ORIGIN fabric.test.\n_lost.host-2 TXT "v=1 heir=host-2"\n'
    told = [problem.remedy for problem in lint(fabricated.zone(text), buckets=8)]
    assert len(told) == 2 and not any("heir=host-2" in remedy or "Name host-2" in remedy for remedy in told)


def test_a_chain_of_heirs_is_refused() -> None:
    text = fabricated.text() + '$ORIGIN fabric.test.\n_lost.host-1 TXT "v=1 heir=host-2"\n'
    text += '_lost.host-2 TXT "v=1 heir=host-1"\n'
    assert any("lost itself" in problem.text for problem in lint(fabricated.zone(text), buckets=8))

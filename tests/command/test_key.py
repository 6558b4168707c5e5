"""Keys for mail to the outside: made by init, changed while the hosts run, one of them always published."""

from __future__ import annotations

import ipaddress
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from directory.fabric import dkim_of
from directory.zone_text import read_zone
from heliograph.configuration.config import load
from heliograph.configuration.settings import Config, Ports
from heliograph.exits import CommandError
from heliograph.founding.init import Wish, plan
from heliograph.founding.new_folder import make_folder
from heliograph.outside.seal_keeping import Change, amended, make, publish, rotate
from heliograph.outside.seals import Signer, is_published, read_seals

NOW = time.time()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    wish = Wish("fabric.test", 2, 8, ipaddress.ip_network("127.0.9.0/24"), "", Ports())
    decided = plan(wish, NOW, os.urandom)
    make_folder(tmp_path / "f", decided.files, decided.configuration)
    return load(tmp_path / "f")


def published(config: Config) -> dict[str, tuple[str, ...]]:
    zone = read_zone(config.zone_file.read_bytes(), config.domain).zone
    assert zone is not None
    return dkim_of(zone)


def serial_of(config: Config) -> int:
    zone = read_zone(config.zone_file.read_bytes(), config.domain).zone
    assert zone is not None
    return zone.serial


def signer(config: Config, host: str = "host-1") -> Signer:
    serial = iter(range(100))
    read = lambda: read_seals(config.host_folder(host), host)  # noqa: E731
    return Signer(read, lambda selector: published(config).get(selector, ()), lambda: next(serial))


def test_init_makes_two_keys_of_each_host_and_publishes_them(config: Config) -> None:
    assert sorted(published(config)) == ["host-1-e1", "host-1-r1", "host-2-e1", "host-2-r1"]
    keys = signer(config, "host-2").usable()
    assert [(key.selector, key.algorithm) for key in keys] == [
        ("host-2-r1", "rsa-sha256"),
        ("host-2-e1", "ed25519-sha256"),
    ]
    for path in config.host_folder("host-1").glob("dkim-*"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_not_published_signs_nothing(config: Config) -> None:
    text = config.zone_file.read_text()
    config.zone_file.write_text(amended(text, config.domain, Change(selectors=("host-1-r1",))))
    assert [key.selector for key in signer(config).usable()] == ["host-1-e1"]
    other = published(config)["host-2-e1"][0]
    mine = published(config)["host-1-e1"][0]
    config.zone_file.write_text(config.zone_file.read_text().replace(mine, other))
    assert signer(config).usable() == ()


def test_rotation_leaves_one_generation_published_and_is_not_hurried(config: Config) -> None:
    hosts = ["host-1", "host-2"]
    before = signer(config)
    serial = serial_of(config)
    assert publish(config, rotate(config, hosts, now=NOW))
    assert serial_of(config) == serial + 1  # or the hosts raise it, and warn until somebody edits the zone
    assert [key.selector for key in before.usable()] == ["host-1-r2", "host-1-e2"]  # no restart
    assert {"host-1-r1", "host-1-r2"} <= set(published(config))
    with pytest.raises(CommandError, match="still on its way"):
        rotate(config, hosts, now=NOW + 86_400)
    assert publish(config, rotate(config, hosts, now=NOW + 9 * 86_400))
    assert "host-1-r1" not in published(config) and {"host-1-r2", "host-1-r3"} <= set(published(config))
    assert [seal.generation for seal in read_seals(config.host_folder("host-1"), "host-1")] == [3, 3, 2, 2]


def test_a_new_key_and_its_name_are_on_disk_before_the_zone_names_it(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(Path(f"/proc/self/fd/{handle}").readlink().name))
    rotate(config, ["host-1"], now=NOW)
    assert flushed == ["dkim-2.rsa.key.new", "host-1", "dkim-2.ed25519.key.new", "host-1"]


def test_a_fabric_of_before_is_given_keys(config: Config) -> None:
    for path in config.root.glob("hosts/*/dkim-*"):
        path.unlink()
    old = "".join(line for line in config.zone_file.open() if "-r1._domainkey" not in line and "-e1._do" not in line)
    config.zone_file.write_text(old + "$ORIGIN timeline.fabric.test.\n")  # whatever stands last
    assert signer(config).usable() == ()
    change = make(config, ["host-1", "host-2"])
    assert publish(config, change) and publish(config, change)
    assert config.zone_file.read_text().count("host-1-r1._domainkey") == 1
    assert all(is_published(published(config), s) for s in read_seals(config.host_folder("host-1"), "host-1"))
    assert make(config, ["host-1"]).lines == change.lines[:2]  # it is there: only told again


def test_a_record_that_is_another_key_s_is_written_over(config: Config) -> None:
    ours, theirs = (published(config)[f"host-{n}-e1"][0] for n in (1, 2))
    config.zone_file.write_text(config.zone_file.read_text().replace(ours, theirs))
    assert [key.selector for key in signer(config).usable()] == ["host-1-r1"]
    assert publish(config, make(config, ["host-1", "host-2"]))
    assert published(config)["host-1-e1"] == (ours,) and published(config)["host-2-e1"] == (theirs,)
    before = config.zone_file.read_bytes()
    assert publish(config, make(config, ["host-1"])) and config.zone_file.read_bytes() == before


def test_a_zone_that_another_server_has_is_not_written_here(config: Config) -> None:
    before = config.zone_file.read_bytes()
    foreign = replace(config, dns=replace(config.dns, primary=("192.0.2.53", 53)))
    assert not publish(foreign, rotate(foreign, ["host-1"], now=NOW))
    assert config.zone_file.read_bytes() == before


def test_a_zone_with_a_mistake_is_not_written(config: Config) -> None:
    config.zone_file.write_text(config.zone_file.read_text() + "b1.timeline NONSENSE x\n")
    before = config.zone_file.read_bytes()
    with pytest.raises(CommandError, match="mend that first"):
        publish(config, rotate(config, ["host-1"], now=NOW))
    assert config.zone_file.read_bytes() == before

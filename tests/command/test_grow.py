"""A fabric grows and shrinks by commands that edit its zone: shown first, in the operator's lines, judged."""

from __future__ import annotations

import json
import ssl
import stat
from collections import Counter
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest
from click.testing import CliRunner

from directory import copy
from directory.fabric import key_of, to_directory
from directory.hosts import with_owners
from directory.snapshot import Directory
from directory.zone import Zone
from heliograph import exits
from heliograph.command import main
from heliograph.configuration.config import load
from heliograph.configuration.settings import FILE_NAME, Config
from heliograph.exits import CommandError
from heliograph.keys import public_key, read_key
from heliograph.tls import between_hosts
from heliograph.zone.file import draft, read_live
from heliograph.zone.remapping import remap
from tests.fabric.town import make_fabric


@pytest.fixture
def config(tmp_path: Path) -> Config:
    found = make_fabric(tmp_path / "f", "127.0.0.0/24", buckets=4096)
    text = found.zone_file.read_text().replace("b7.timeline MX 10 host-1", "b7.timeline  MX 10 host-1 ; my own words")
    found.zone_file.write_text(text)
    return found


def run(config: Config, *words: str) -> dict[str, Any]:
    done = CliRunner().invoke(main, ["-C", str(config.root), *words, "--json"])
    answer: dict[str, Any] = json.loads(done.stdout)
    if done.exit_code:
        raise CommandError(done.exit_code, answer["error"]["message"])
    return answer


def live(config: Config) -> Directory:
    return to_directory(read_live(config)[1])


def test_a_host_joins_gets_its_share_and_leaves_again(config: Config, tmp_path: Path) -> None:
    before = live(config)
    bundle = tmp_path / "host-4.bundle"
    run(config, "host", "add", "host-4", "--address", "127.0.0.4", "--bundle", str(bundle))
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    joined = live(config)
    assert joined.serial > before.serial and joined.hosts["host-4"].address == "127.0.0.4"
    assert joined.timeline == before.timeline and [host.name for host in load(config.root).hosts][-1] == "host-4"

    run(config, "init", "--join", str(bundle), str(tmp_path / "new"))
    there = load(tmp_path / "new")
    assert public_key(read_key(there, "host-4")) == joined.hosts["host-4"].key == key_of(read_live(config)[1], "host-4")
    between_hosts(there.tls.of("host-4"))  # its certificates are whole, and of the fabric's CA
    assert isinstance(ssl.create_default_context(cafile=there.tls.ca), ssl.SSLContext)
    assert {path.name for path in (tmp_path / "new/hosts").iterdir()} == {"host-4"}  # and nobody else's secrets
    assert not (tmp_path / "new/tls/ca.key").exists()

    shown = run(config, "rebalance", "--plan")
    assert not shown["applied"] and live(config).timeline == before.timeline
    done = run(config, "rebalance", "--apply")
    assert done["moves"] == shown["moves"]
    now = live(config)
    assert Counter(now.timeline) == Counter(now.reflectors) == dict.fromkeys((f"host-{n}" for n in range(1, 5)), 1024)
    assert sum(a != b for a, b in zip(before.timeline, now.timeline, strict=True)) == 1024
    assert "b7.timeline  MX 10 host-1 ; my own words" in config.zone_file.read_text()
    assert run(config, "rebalance", "--apply")["moves"] == {"timeline": [], "reflectors": []}

    with pytest.raises(CommandError, match="host drain host-4"):
        run(config, "host", "remove", "host-4", "--dead")
    assert not run(config, "host", "drain", "host-4")["applied"]
    run(config, "host", "drain", "host-4", "--apply")
    drained = live(config)
    assert "host-4" not in drained.timeline + drained.reflectors and "host-4" in drained.hosts
    assert config.zone_file.read_text().count("MX 10 host-4") == 1  # its own
    assert not any(run(config, "rebalance", "--plan")["moves"].values())  # who is drained is given nothing
    with pytest.raises(CommandError, match="--dead"):
        run(config, "host", "remove", "host-4")
    run(config, "host", "remove", "host-4", "--dead")
    assert "host-4" not in config.zone_file.read_text() + (config.root / FILE_NAME).read_text()
    gone = live(config)
    assert (gone.hosts, gone.services, gone.dkim) == (before.hosts, before.services, before.dkim)
    load(config.root)


def test_weights(config: Config) -> None:
    done = run(config, "rebalance", "--weights", "host-1=2,host-3=0", "--apply")
    assert done["after"]["timeline"] == {"host-1": 2731, "host-2": 1365, "host-3": 0}
    for wrong in ("host-1", "host-1=-1", "host-1=1,host-1=2", "host-9=1", "host-1=x", "host-1=0,host-2=0,host-3=0"):
        with pytest.raises(CommandError):
            run(config, "rebalance", "--weights", wrong)


@pytest.mark.parametrize(
    ("name", "address"),
    [("host-3", "127.0.0.9"), ("host-9", "127.0.0.3"), ("Host", "127.0.0.9"), ("add", "127.0.0.9"), ("h", "nowhere")],
)
def test_what_cannot_be_changes_nothing(config: Config, name: str, address: str, tmp_path: Path) -> None:
    before = config.zone_file.read_bytes(), (config.root / FILE_NAME).read_bytes()
    with pytest.raises(CommandError) as refused:
        run(config, "host", "add", name, "--address", address, "--bundle", str(tmp_path / "b"))
    told = str(refused.value)  # what was only tried is no file that anybody finds
    assert refused.value.code != exits.SOFTWARE and gettempdir() not in told
    assert before == (config.zone_file.read_bytes(), (config.root / FILE_NAME).read_bytes())
    assert not (tmp_path / "b").exists()


def test_files_that_the_configuration_names_are_looked_for_where_they_are(config: Config) -> None:
    """A path in heliograph.toml is the fabric's folder's, whichever text names it."""
    path = config.root / FILE_NAME
    path.write_text(path.read_text().replace("[feeds]\n", '[feeds]\nmailbox_authorities = "mail.pem"\n'))
    (config.root / "mail.pem").write_text("")
    run(config, "host", "add", "host-4", "--address", "127.0.0.4", "--here")
    run(config, "host", "remove", "host-4", "--dead")
    assert [host.name for host in load(config.root).hosts] == ["host-1", "host-2", "host-3"]


def test_on_this_machine(config: Config) -> None:
    run(config, "host", "add", "host-4", "--address", "127.0.0.4", "--here")
    after = load(config.root)
    assert public_key(read_key(after, "host-4")) == live(after).hosts["host-4"].key
    between_hosts(after.tls.of("host-4"))


def test_a_bucket_takes_its_new_hosts_standby(config: Config) -> None:
    lines = "".join(f"b{n}.timeline MX 20 host-2\n" for n in range(1366))
    config.zone_file.write_text(config.zone_file.read_text() + f"$ORIGIN fabric.test.\n{lines}")
    made = draft(config, lambda zone: with_owners(zone, "timeline", {2000: "host-1", 3: "host-3"}))
    made.write()
    zone = read_live(config)[1]
    assert _mx(zone, 2000) == [(10, "host-1"), (20, "host-2")] and _mx(zone, 3) == [(10, "host-3")]


def test_a_standby_is_shown_then_written_and_goes_with_the_buckets(config: Config) -> None:
    before = config.zone_file.read_bytes()
    shown = run(config, "host", "standby", "host-1", "host-2")
    assert (shown["before"], shown["standby"], shown["buckets"], shown["applied"]) == ("", "host-2", 2732, False)
    assert config.zone_file.read_bytes() == before
    run(config, "host", "standby", "host-1", "host-2", "--apply")
    assert live(config).standbys == {"host-1": "host-2"} and "; my own words" in config.zone_file.read_text()
    for wrong in ("host-1", "host-9"):
        with pytest.raises(CommandError, match=wrong):
            run(config, "host", "standby", "host-1", wrong, "--apply")

    zone = read_live(config)[1]
    copy.keep(config.host_folder("host-1") / "fabric.test.zone", copy.Kept(zone, zone.serial))
    remap(config, [("timeline", 2000, "host-1"), ("timeline", 3, "host-3")])
    zone = read_live(config)[1]
    assert _mx(zone, 2000) == [(10, "host-1"), (20, "host-2")] and _mx(zone, 3) == [(10, "host-3")]
    run(config, "host", "standby", "host-1", "none", "--apply")
    assert live(config).standbys == {}


def test_what_was_edited_meanwhile_stays(config: Config) -> None:
    made = draft(config, lambda zone: with_owners(zone, "timeline", {3: "host-3"}))
    config.zone_file.write_text(config.zone_file.read_text() + "; a thought\n")
    with pytest.raises(CommandError, match="edited meanwhile"):
        made.write()
    assert config.zone_file.read_text().endswith("; a thought\n")


def _mx(zone: Zone, bucket: int) -> list[tuple[int, str]]:
    from directory import wire
    from directory.fabric import bucket_name, host_name

    rdatas = sorted(zone.rdatas(bucket_name(zone, "timeline", bucket), wire.MX))
    return [(int.from_bytes(rdata[:2], "big"), host_name(zone, rdata[2:].lower())) for rdata in rdatas]

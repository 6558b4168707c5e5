"""The doctor's findings: each trouble is made, found, and told with what to do."""

from __future__ import annotations

import json
import shutil
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from heliograph.checkup.certificates import certificates
from heliograph.checkup.clients import clients
from heliograph.checkup.finding import Finding
from heliograph.checkup.machine import clock, disk, permissions
from heliograph.checkup.network import network
from heliograph.checkup.owners import doubly_owned, owners
from heliograph.checkup.zone import postmaster, zone
from heliograph.command import main
from heliograph.configuration.config import Config, load
from heliograph.founding.certificates import make_ca, make_server

DAY = 86_400


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh") / "f"
    done = CliRunner().invoke(main, ["init", str(folder), "--hosts", "2", "--buckets", "8", "--net", "127.233.1.0/24"])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def config(fresh: Path, tmp_path: Path) -> Config:
    return load(Path(shutil.copytree(fresh, tmp_path / "f")))


def bad(findings: object) -> list[Finding]:
    assert hasattr(findings, "__iter__")
    return [finding for finding in findings if finding.grade != "good"]


def only(findings: object) -> Finding:
    [finding] = bad(findings)
    assert finding.remedy
    return finding


def test_a_fresh_fabric_has_no_fault(config: Config) -> None:
    now = time.time()
    for findings in (permissions(config), certificates(config, now), zone(config), clients(config)):
        assert bad(findings) == []


@pytest.mark.parametrize("name", ["hosts/host-1/host.key", "tls/ca.key", "hosts/host-2"])
def test_a_secret_that_others_may_read(config: Config, name: str) -> None:
    (config.root / name).chmod(0o755)
    found = only(permissions(config))
    assert (found.grade, name in found.text, found.remedy.startswith("chmod")) == ("fault", True, True)


def test_certificates_that_expire(config: Config) -> None:
    now = time.time()
    assert {finding.grade for finding in bad(certificates(config, now + 810 * DAY))} == {"warning"}
    assert {finding.grade for finding in bad(certificates(config, now + 830 * DAY))} == {"fault"}
    assert {finding.grade for finding in bad(certificates(config, now - DAY))} == {"fault"}


def test_a_certificate_of_another_key_name_or_nothing(config: Config) -> None:
    now = time.time()
    paths = config.tls.of("host-1")
    elsewhere = make_server(make_ca("x.test", now), host="www", domain="x.test", address="127.0.0.1", now=now)
    paths.certificate.write_bytes(elsewhere.certificate_pem())
    assert "is not of the key" in only(certificates(config, now)).text
    paths.key.write_bytes(elsewhere.key_pem())
    assert "does not name host-1.fabric.test" in only(certificates(config, now)).text
    paths.certificate.write_bytes(b"")
    assert only(certificates(config, now)).grade == "fault"
    paths.certificate.unlink()
    assert only(certificates(config, now)).grade == "fault"


def test_a_stream_certificate_that_is_not_the_hosts_own(config: Config) -> None:
    ours, theirs = config.tls.of("host-1"), config.tls.of("host-2")
    shutil.copy(theirs.stream_certificate, ours.stream_certificate)
    shutil.copy(theirs.stream_key, ours.stream_key)
    assert "not made from host-1's own key" in only(certificates(config, time.time())).text


Change = Callable[[str], str]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("b3.timeline MX 10", "b3.timeline MX ten"), "zone:"),
        (lambda text: text.replace("host-2 A 127.233.1.2", "host-2 A 127.233.1.9"), "127.233.1.9 in the zone"),
        (lambda text: text.replace("p=", "p=AAAA", 1), ""),
    ],
)
def test_a_zone_that_is_wrong(config: Config, change: Change, said: str) -> None:
    config.zone_file.write_text(change(config.zone_file.read_text()))
    found = bad(zone(config))
    assert "fault" in {finding.grade for finding in found}
    assert any(said in finding.text for finding in found)
    assert all(finding.remedy for finding in found)


def test_a_zone_that_is_gone(config: Config) -> None:
    config.zone_file.unlink()
    assert "is missing" in only(zone(config)).text


def without(*starts: str) -> Change:
    return lambda text: "".join(line for line in text.splitlines(True) if not line.startswith(starts))


@pytest.mark.parametrize(
    ("change", "said", "remedy"),
    [
        (without("_imap"), "where to read mail", "_imaps._tcp SRV 0 1 2993 mail"),
        (without("_submission"), "where to send mail", "_submissions._tcp SRV 0 1 2465 mail"),
        (without("autoconfig"), "autoconfig.fabric.test has no address", "autoconfig CNAME mail"),
    ],
)
def test_a_zone_that_tells_clients_nothing(config: Config, change: Change, said: str, remedy: str) -> None:
    config.zone_file.write_text(change(config.zone_file.read_text()))
    found = only(clients(config))
    assert (found.grade, said in found.text, remedy in found.remedy) == ("warning", True, True)


def test_a_service_at_one_of_two_ports_is_enough(config: Config) -> None:
    config.zone_file.write_text(without("_imap.", "_submission.")(config.zone_file.read_text()))
    assert bad(clients(config)) == []


def test_a_certificate_without_the_name_that_clients_use(config: Config) -> None:
    now, paths = time.time(), config.tls.of("host-2")
    own = make_server(make_ca("x.test", now), host="host-2", domain="fabric.test", address="127.233.1.2", now=now)
    assert bad(clients(config)) == []
    paths.certificate.write_bytes(own.certificate_pem())
    assert bad(clients(config)) == []
    text = config.zone_file.read_text()
    config.zone_file.write_text(text.replace("_imaps._tcp SRV 0 1 2993 mail", "_imaps._tcp SRV 0 1 2993 host-1"))
    assert bad(clients(config)) == []  # another host's name need not stand in this one's
    config.zone_file.write_text(text.replace("_imaps._tcp SRV 0 1 2993 mail", "_imaps._tcp SRV 0 1 2993 imap"))
    config.zone_file.write_text(config.zone_file.read_text() + "imap A 127.233.1.2\n")
    assert f"{paths.certificate}: does not name imap.fabric.test" in only(clients(config)).text


def test_nobody_is_postmaster(config: Config) -> None:
    assert only(postmaster(config)).grade == "warning"


@pytest.mark.parametrize(("free", "grade"), [(100 << 20, "fault"), (1 << 30, "warning"), (80 << 30, "good")])
def test_a_disk_that_fills(config: Config, monkeypatch: pytest.MonkeyPatch, free: int, grade: str) -> None:
    space = namedtuple("space", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: space(100 << 30, 0, free))
    assert next(disk(config)).grade == grade


def test_a_clock_that_fell_behind(config: Config) -> None:
    assert "in the future" in only(clock(config, time.time() - DAY)).text


def test_hosts_that_are_down_are_told(config: Config) -> None:
    assert [finding.text for finding in bad(network(config))] == ["host-1 is down", "host-2 is down"]


def test_a_host_elsewhere_that_does_not_answer(config: Config) -> None:
    shutil.rmtree(config.host_folder("host-2"))
    found = bad(network(config))
    assert [finding.text for finding in found if finding.check == "hosts"] == ["host-1 is down"]
    assert len([finding for finding in found if finding.check == "ports"]) == 9
    assert [finding.check for finding in found if "does not answer for the zone" in finding.text] == ["dns"]


def test_a_bucket_that_two_hosts_own() -> None:
    up = {"up": True}
    words = [
        {"host": "host-1", **up},  # of another version
        {"host": "host-2", **up, "two_owners": [["b56.timeline", "host-3"], ["b7.reflectors", "host-3"]]},
        {"host": "host-3", **up, "two_owners": [["b56.timeline", "host-2"]]},
        {"host": "host-4", "up": False, "trouble": "no answer"},
    ]
    found = only(doubly_owned(words))
    assert found.grade == "fault" and "host-2 and host-3 both own b7.reflectors, b56.timeline, " in found.text
    assert "`bucket yield 7 --at host-3`, or --at host-2" in found.remedy
    many = [{"host": "host-2", **up, "two_owners": [[f"b{n}.timeline", "host-1"] for n in range(20)]}]
    assert "b4.timeline and 15 more" in only(doubly_owned(many)).text
    [well] = doubly_owned([words[0], words[3]])
    assert (well.grade, "1 hosts that answer" in well.text) == ("good", True)


def test_nobody_to_ask_about_owners(config: Config) -> None:
    assert list(owners(config)) == []
    shutil.rmtree(config.root / "hosts")
    assert list(owners(config)) == []


def test_a_check_that_cannot_be_made_does_not_hide_the_others(config: Config) -> None:
    (config.host_folder("host-1") / "host.key").unlink()
    (config.host_folder("host-2") / "dkim-1.rsa.key").write_text("no key")
    done = CliRunner().invoke(main, ["-C", str(config.root), "doctor", "--json"])
    found = json.loads(done.stdout)["findings"]
    assert done.exit_code == 69 and {"disk", "clock", "postmaster"} <= {one["check"] for one in found}
    keys = [one for one in found if "host.key" in one["text"]]
    assert keys and all(one["remedy"] == "bring the host's key back from a backup" for one in keys)
    assert any("dkim-1.rsa.key" in one["text"] and one["grade"] == "fault" for one in found)

"""Certificates of the fabric's own CA are renewed, by the command, while its hosts run."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509

from heliograph.checkup.certificates import certificates
from heliograph.command import main
from heliograph.configuration.settings import Config
from heliograph.founding.certificates import make_ca, make_server, make_stream
from heliograph.founding.certifying import read_ca
from heliograph.keys import read_key
from tests.fabric.town import Town, make_fabric

DAY = 86_400.0


def certify(config: Config, *names: str) -> dict[str, Any]:
    done = CliRunner().invoke(main, ["-C", str(config.root), "host", "certify", *names, "--json"])
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def shown(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def grades(config: Config) -> set[str]:
    return {finding.grade for finding in certificates(config, time.time())}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Both certificates of host-1 are old."""
    found = make_fabric(tmp_path / "f", "127.0.0.0/24", hosts=2, buckets=16)
    paths, ca, then = found.tls.of("host-1"), read_ca(found), time.time() - 820 * DAY
    server = make_server(ca, host="host-1", domain=found.domain, address="127.0.0.1", now=then)
    stream = make_stream(ca, host="host-1", domain=found.domain, seed=read_key(found, "host-1"), now=then)
    paths.certificate.write_bytes(server.certificate_pem())
    paths.key.write_bytes(server.key_pem())
    paths.stream_certificate.write_bytes(stream.certificate_pem())
    return found


def test_old_certificates_are_renewed_with_their_keys(config: Config) -> None:
    paths = config.tls.of("host-1")
    before = {path: shown(path) for path in (paths.certificate, paths.stream_certificate)}
    assert grades(config) == {"good", "warning"}
    assert set(certify(config)["hosts"]) == {"host-1", "host-2"}
    assert grades(config) == {"good"}
    for path, old in before.items():
        assert shown(path).public_key() == old.public_key() and shown(path).serial_number != old.serial_number


def test_what_another_ca_signed_is_left_alone(config: Config) -> None:
    paths, now = config.tls.of("host-1"), time.time()
    bought = make_server(make_ca("x.test", now), host="host-1", domain=config.domain, address="127.0.0.1", now=now)
    paths.certificate.write_bytes(bought.certificate_pem())
    paths.key.write_bytes(bought.key_pem())
    assert certify(config, "host-1")["hosts"] == {"host-1": [str(paths.stream_certificate)]}
    assert shown(paths.certificate) == bought.certificate


def test_without_the_ca_s_key_nothing_is_changed(config: Config) -> None:
    shutil.move(config.root / "tls/ca.key", config.root / "away")
    before = config.tls.of("host-1").stream_certificate.read_bytes()
    assert "bring the fabric's CA key here" in certify(config)["error"]["message"]
    assert config.tls.of("host-1").stream_certificate.read_bytes() == before


async def test_hosts_show_new_certificates_without_a_restart(town: Town) -> None:
    host, path = town.hosts["host-2"], town.config.tls.of("host-2").stream_certificate
    certify(town.config, "host-2")
    host.reload_certificates()
    _, writer = await town.hosts["host-1"].streams.open("host-2", "status")
    told = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    assert x509.load_der_x509_certificate(told) == shown(path)
    path.write_bytes(b"")
    with pytest.raises(OSError, match=r"(?i)ssl|pem"):
        host.reload_certificates()
    assert all(word["up"] for word in (await town.hosts["host-1"].neighbours.survey())["hosts"])

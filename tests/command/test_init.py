"""A new fabric: whole or not at all, and never over another."""

from __future__ import annotations

import ipaddress
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from heliograph.command import main
from heliograph.configuration.config import load
from heliograph.founding import new_folder
from heliograph.founding.certificates import make_ca, make_server
from heliograph.founding.new_folder import CannotCreate, File, make_folder
from heliograph.keys import public_key, read_key
from heliograph.published import published_directory


def init(folder: Path, *options: str) -> None:
    done = CliRunner().invoke(main, ["init", str(folder), *options])
    assert done.exit_code == 0, done.output


def test_a_fabric_of_three_hosts_has_what_it_needs(tmp_path: Path) -> None:
    root = tmp_path / "fabric"
    init(root, "--hosts", "3", "--buckets", "64", "--net", "127.9.8.0/24", "--domain", "example.test")
    config = load(root)
    assert [host.address for host in config.hosts] == ["127.9.8.1", "127.9.8.2", "127.9.8.3"]
    directory = published_directory(config)
    assert set(directory.timeline) == {"host-1", "host-2", "host-3"}
    for host in config.hosts:
        assert directory.hosts[host.name].address == host.address
        assert directory.key_of(host.name) == public_key(read_key(config, host.name))
        assert len(read_key(config, host.name, "token.key")) == 32


def test_keys_are_of_one_host_each(tmp_path: Path) -> None:
    init(tmp_path / "f", "--hosts", "2", "--buckets", "8")
    secrets = {path.read_bytes() for path in (tmp_path / "f" / "hosts").rglob("*.key")}
    assert len(secrets) == 2 * 4


def test_nobody_else_reads_it(tmp_path: Path) -> None:
    os.umask(0o022)
    root = tmp_path / "f"
    init(root, "--buckets", "8")
    for path in (root, *root.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_clients_and_hosts_can_verify_the_certificates(tmp_path: Path) -> None:
    root = tmp_path / "f"
    init(root, "--buckets", "8")
    config = load(root)
    paths = config.tls.of("host-1")
    shown = x509.load_pem_x509_certificate(paths.certificate.read_bytes())
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert isinstance(shown.public_key(), ec.EllipticCurvePublicKey)
    assert names.get_values_for_type(x509.DNSName) == [
        "host-1.fabric.test",
        "mail.fabric.test",
        "autoconfig.fabric.test",
        "fabric.test",
    ]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    stream = x509.load_pem_x509_certificate(paths.stream_certificate.read_bytes()).public_key()
    assert isinstance(stream, Ed25519PublicKey)
    assert stream.public_bytes_raw() == public_key(read_key(config, "host-1"))
    assert handshake(paths.certificate, paths.key, paths.ca, "127.0.0.1") == "TLSv1.3"
    assert handshake(paths.stream_certificate, paths.stream_key, paths.ca, "host-1.fabric.test") == "TLSv1.3"


def handshake(certificate: Path, key: Path, ca: Path, name: str) -> str | None:
    """Join both ends in memory."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    client = ssl.create_default_context(cafile=str(ca)).wrap_bio(to_client, to_server, server_hostname=name)
    for end in (client, server, client, server):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client.version()


def test_a_certificate_of_another_ca_is_refused(tmp_path: Path) -> None:
    ours, theirs = make_ca("fabric.test", 1.7e9), make_ca("fabric.test", 1.7e9)
    pair = make_server(theirs, host="host-1", domain="fabric.test", address="127.0.0.1", now=1.7e9)
    for name, content in (("c", pair.certificate_pem()), ("k", pair.key_pem()), ("ca", ours.certificate_pem())):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path / "c", tmp_path / "k", tmp_path / "ca", "127.0.0.1")


def test_it_never_overwrites(tmp_path: Path) -> None:
    root = tmp_path / "f"
    init(root, "--buckets", "8")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    again = CliRunner().invoke(main, ["init", str(root)])
    assert again.exit_code == 73
    assert "holds a fabric already" in again.output
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("dear")
    refused = CliRunner().invoke(main, ["init", str(tmp_path)])
    assert refused.exit_code == 73
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]


@pytest.mark.parametrize("step", range(1, 12))
def test_a_crash_anywhere_leaves_nothing_that_counts(tmp_path: Path, step: int) -> None:
    """Kill -9 at the n-th flush; then no host would start, and a second init completes."""
    root = tmp_path / "f"
    program = (
        "import os, sys, signal; n = [0]; real = os.fsync\n"
        f"def fsync(h): n[0] += 1; os.kill(os.getpid(), 9) if n[0] == {step} else real(h)\n"
        "os.fsync = fsync\n"
        "from heliograph.command import main; main()"
    )
    killed = subprocess.run([sys.executable, "-c", program, "init", str(root), "--buckets", "8"], capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert not (root / "heliograph.toml").exists()
    init(root, "--buckets", "16")
    assert published_directory(load(root)).names.buckets == 16
    assert not list(root.glob("*.incomplete"))


def test_two_at_once_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is at work the other is told so."""
    root = tmp_path / "f"
    write = new_folder._write

    def write_and_be_disturbed(where: Path, file: File) -> None:
        write(where, file)
        with pytest.raises(CannotCreate, match="another init"):
            make_folder(root, [File("a/b", b"2")], b"second")

    monkeypatch.setattr(new_folder, "_write", write_and_be_disturbed)
    make_folder(root, [File("a/b", b"1")], b"first")
    assert ((root / "a" / "b").read_bytes(), (root / "heliograph.toml").read_bytes()) == (b"1", b"first")


@pytest.mark.parametrize(
    "options",
    [
        ["--domain", "Fabric"],
        ["--hosts", "0"],
        ["--buckets", "70000"],
        ["--net", "127.0.0.1/24"],
        ["--net", "127.0.0.0/30", "--hosts", "3"],
        ["--port", "smtp=0"],
        ["--port", "imap=2525"],
        ["--postmaster", "postmaster"],
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_and_nothing_is_made(tmp_path: Path, options: list[str]) -> None:
    refused = CliRunner().invoke(main, ["init", str(tmp_path / "f"), *options])
    assert refused.exit_code == 64, refused.output
    assert not (tmp_path / "f").exists()


def test_ports_are_settable(tmp_path: Path) -> None:
    init(tmp_path / "f", "--buckets", "8", "--port", "smtp=25", "--port", "imap=143")
    ports = load(tmp_path / "f").ports
    assert (ports.smtp, ports.imap, ports.dns) == (25, 143, 2053)


def test_what_to_do_next_is_for_this_fabric(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["init", str(tmp_path / "f"), "--buckets", "8", "--postmaster", "zoe"])
    assert f"heliograph -C {tmp_path / 'f'} account add zoe" in done.output

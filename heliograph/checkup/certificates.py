"""Certificates: there, readable, made for these hosts, and not about to expire.

Law: an operator's own certificate is judged by what a mail client will see.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from heliograph.checkup.finding import Finding, fault, good, warning
from heliograph.configuration.settings import Config
from heliograph.keys import TOKEN_KEY, public_key, read_key

EXPIRY_DAYS_LOW = 21  # renewal runs every few days; three weeks without one means that it fails
DAY = 86_400
RENEW = "renew it (`heliograph host certify`, where the fabric's own CA signed it), then send the hosts SIGHUP"


def certificates(config: Config, now: float) -> Iterator[Finding]:
    """Look at the fabric's CA, and at both certificates of every host on this machine."""
    yield from _authority(config.tls.ca, now)
    for host in config.hosts:
        if not config.host_folder(host.name).is_dir():
            continue
        paths = config.tls.of(host.name)
        name = f"{host.name}.{config.domain}"
        yield from _pair(paths.certificate, paths.key, now, name)
        yield from _pair(paths.stream_certificate, paths.stream_key, now, "")
        yield from _is_hosts_key(config, host.name, paths.stream_certificate)


def _authority(path: Path, now: float) -> Iterator[Finding]:
    """Without a good one no host believes another."""
    try:
        shown = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        yield fault("certificates", f"{path}: {error}", "bring the fabric's CA certificate back from a backup")
    else:
        yield _expiry(path, shown, now, "every host needs another, and every reader has to trust it")


def _pair(certificate: Path, key: Path, now: float, name: str) -> Iterator[Finding]:
    try:
        shown = x509.load_pem_x509_certificate(certificate.read_bytes())
        secret = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        yield fault("certificates", f"{certificate}, {key}: {error}", "set [tls] in heliograph.toml to files in PEM")
        return
    if shown.public_key() != secret.public_key():
        yield fault("certificates", f"{certificate}: is not of the key {key}", "put the right two files together")
    elif name and not covers(shown, name):
        text = f"{certificate}: does not name {name}, which mail clients connect to"
        yield warning("certificates", text, "get one that names the host")
    else:
        yield _expiry(certificate, shown, now, RENEW)


def _expiry(path: Path, shown: x509.Certificate, now: float, renew: str) -> Finding:
    days = (shown.not_valid_after_utc.timestamp() - now) / DAY
    if days < 0:
        return fault("certificates", f"{path}: expired {-days:.0f} days ago", renew)
    if shown.not_valid_before_utc.timestamp() > now:
        return fault("certificates", f"{path}: is not valid yet", "set the clock, or wait")
    if days < EXPIRY_DAYS_LOW:
        return warning("certificates", f"{path}: expires in {days:.0f} days", renew)
    return good("certificates", f"{path.name}: good for {days:.0f} days")


def covers(shown: x509.Certificate, name: str) -> bool:
    """RFC 6125 6.4.3: a name, or a wildcard for its first label."""
    try:
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    wanted = {name, "*." + name.partition(".")[2]}
    return not wanted.isdisjoint(value.lower() for value in names.get_values_for_type(x509.DNSName))


def _is_hosts_key(config: Config, host: str, path: Path) -> Iterator[Finding]:
    """Between hosts the key decides: the one in the zone, in the certificate and on disk are the same."""
    try:
        key = x509.load_pem_x509_certificate(path.read_bytes()).public_key()
    except (OSError, ValueError):
        return  # told above
    mine = public_key(read_key(config, host))
    read_key(config, host, TOKEN_KEY)  # ConfigError, told as a fault: no host starts without it
    if not isinstance(key, Ed25519PublicKey) or key.public_bytes_raw() != mine:
        text = f"{path}: is not made from {host}'s own key"
        yield fault("certificates", text, "bring the pair back from a backup: other hosts refuse its streams")

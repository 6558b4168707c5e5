"""Certificates of a fabric's own CA, made anew before they expire.

Law: keys stay as they are, so that nobody has to trust anything new. What another CA signed is the operator's affair.
"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from heliograph import exits
from heliograph.configuration.settings import Config
from heliograph.exits import CommandError
from heliograph.founding.certificates import Pair, make_server, make_stream
from heliograph.keys import read_key
from store.durable_files import replace_durably


def read_ca(config: Config) -> Pair:
    """Read the fabric's CA with its key; CommandError where that is not on this machine."""
    path = config.tls.ca.with_suffix(".key")
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        raise CommandError(exits.NOINPUT, f"{path}: bring the fabric's CA key here for this, then repeat") from None
    assert isinstance(key, EllipticCurvePrivateKey)
    return Pair(x509.load_pem_x509_certificate(config.tls.ca.read_bytes()), key)


def certify(config: Config, name: str, now: float) -> list[Path]:
    """Renew the certificates of a host whose keys are on this machine; return those that are new."""
    ca, host, paths = read_ca(config), config.host(name), config.tls.of(name)
    stream = make_stream(ca, host=name, domain=config.domain, seed=read_key(config, name), now=now)
    made = {paths.stream_certificate: stream}
    if (key := _own_key(paths.certificate, paths.key, ca)) is not None:
        made[paths.certificate] = make_server(
            ca, host=name, domain=config.domain, address=host.address, now=now, key=key
        )
    for path, pair in made.items():
        replace_durably(path, pair.certificate_pem())
    return list(made)


def _own_key(certificate: Path, key: Path, ca: Pair) -> EllipticCurvePrivateKey | None:
    """The key of what our CA signed for mail clients; None where another did."""
    try:
        shown = x509.load_pem_x509_certificate(certificate.read_bytes())
        shown.verify_directly_issued_by(ca.certificate)
        found = load_pem_private_key(key.read_bytes(), None)
    except (ValueError, TypeError, InvalidSignature):
        return None
    except OSError as error:
        raise CommandError(exits.NOINPUT, f"{error.filename}: {error.strerror}: run this where the host runs") from None
    return found if isinstance(found, EllipticCurvePrivateKey) else None

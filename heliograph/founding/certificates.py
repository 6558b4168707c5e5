"""The certificates of a fresh fabric: a CA of its own, and two for each host.

Law: the certificate for mail clients is ECDSA P-256, which every client takes; the one for streams between hosts holds
the host's own Ed25519 key, the key that the zone publishes. An operator may put any other in place of the first.
"""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from directory.fabric import AUTOCONFIG, MAIL

CA_DAYS = 3650
HOST_DAYS = 825  # the longest that Apple's mail clients take from a CA that the user added
EARLIER = datetime.timedelta(hours=1)  # a client's clock may be behind

PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey

    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def make_ca(domain: str, now: float) -> Pair:
    """Make the fabric's own CA: it signs hosts, and no further CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"{domain} fabric CA")
    usage = _usage(key_cert_sign=True, crl_sign=True)
    builder = (
        _builder(name, name, key, now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return Pair(builder.sign(key, hashes.SHA256()), key)


def make_server(
    ca: Pair, *, host: str, domain: str, address: str, now: float, key: ec.EllipticCurvePrivateKey | None = None
) -> Pair:
    """Make what mail clients and peers see: it names the host, the names that all hosts share, and the address. `key`:
    the one that it had before, if it is renewed."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    shared = [f"{MAIL}.{domain}", f"{AUTOCONFIG}.{domain}", domain]
    names = [*map(x509.DNSName, [f"{host}.{domain}", *shared]), x509.IPAddress(ipaddress.ip_address(address))]
    return _signed(ca, key, f"{host}.{domain}", names, now)


def make_stream(ca: Pair, *, host: str, domain: str, seed: bytes, now: float) -> Pair:
    """Make what another host sees: the host's Ed25519 key (`seed`: 32 octets)."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return _signed(ca, key, f"{host}.{domain}", [x509.DNSName(f"{host}.{domain}")], now)


def host_files(ca: Pair, *, host: str, domain: str, address: str, seed: bytes, now: float) -> dict[str, bytes]:
    """Make both, as a new host's files."""
    server = make_server(ca, host=host, domain=domain, address=address, now=now)
    stream = make_stream(ca, host=host, domain=domain, seed=seed, now=now)
    files = {}
    for name, pair in ((host, server), (f"{host}.stream", stream)):
        files[f"tls/{name}.pem"] = pair.certificate_pem()
        files[f"tls/{name}.key"] = pair.key_pem()
    return files


def _signed(ca: Pair, key: PrivateKey, subject: str, names: list[x509.GeneralName], now: float) -> Pair:
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    builder = (
        _builder(_name(subject), ca.certificate.subject, key, now, HOST_DAYS)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(both, critical=False)
        .add_extension(issuer, critical=False)
    )
    return Pair(builder.sign(ca.key, hashes.SHA256()), key)


def _builder(subject: x509.Name, issuer: x509.Name, key: PrivateKey, now: float, days: int) -> x509.CertificateBuilder:
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - EARLIER)
        .not_valid_after(moment + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    # RFC 5280 ub-common-name: 64 characters; clients read the alternative names, this is for people
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )

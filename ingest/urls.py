"""A feed's address in its one canonical spelling, and whose site it is.

Law: two spellings that a client must treat alike (RFC 3986 6.2.2, 6.2.3) give one canonical URL. A number that
stands for an IPv4 address (127.1, 0x7f.1, 2130706433) is written out, so that nothing later reads it differently.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import idna

from mail.organization import organization

# As it stands in a control field, percent-encoded: with the field's other values it must fit a line of 998 octets
# (RFC 5322 2.1.1).
URL_QUOTED_MAX = 600
DEFAULT_PORTS = {"http": 80, "https": 443}

_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\ud800-\udfff\\]")  # JSON may hold half a character
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z")
_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_KEPT = "%/:@!$&'()*+,;=-._~"


class BadUrl(ValueError):
    """Not an address that a feed is fetched from; the message says why, for the person who sent it."""


@dataclass(frozen=True, slots=True)
class Url:
    """A canonical URL, in parts: `host` is a name in ASCII, or an address without brackets."""

    text: str
    scheme: str
    host: str
    port: int

    @property
    def domain(self) -> str:
        return registrable_domain(self.host)


def canonical(text: str) -> Url:
    """Return the canonical form of an http or https URL; raise BadUrl for any other text."""
    if _CONTROL.search(text):
        raise BadUrl("it contains a space or a control character")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise BadUrl("it is not well formed") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise BadUrl("only http and https addresses can be followed")
    if "@" in parts.netloc:  # it goes into logs, zones of trust and other people's lists
        raise BadUrl("it contains a user name or a password")
    host = _host(parts.hostname or "")
    return _written(parts, host, DEFAULT_PORTS[parts.scheme] if port is None else port)


def joined(base: str, reference: str) -> Url:
    """Resolve a reference (a Location, a link) against a URL; raise BadUrl."""
    try:
        return canonical(urljoin(base, reference.strip()))
    except ValueError as error:
        raise error if isinstance(error, BadUrl) else BadUrl("it is not well formed") from None


def registrable_domain(host: str) -> str:
    """Return the domain that was registered (``example.co.uk``); an address, or a name without one, is its own."""
    if ":" in host or host.replace(".", "").isdigit():
        return host
    return organization(host)


def _written(parts: SplitResult, host: str, port: int) -> Url:
    netloc = f"[{host}]" if ":" in host else host
    if port != DEFAULT_PORTS[parts.scheme]:
        netloc += f":{port}"
    query = f"?{_escaped(parts.query, '?')}" if parts.query else ""
    text = f"{parts.scheme}://{netloc}{_path(parts.path)}{query}"
    if len(quote(text, safe="@:/+.-_")) > URL_QUOTED_MAX:
        raise BadUrl("it is too long")
    return Url(text, parts.scheme, host, port)


def _path(path: str) -> str:
    """Remove dot segments (RFC 3986 5.2.4), as every client does before it asks."""
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == ".." and kept:
            kept.pop()
        if segment not in (".", ".."):
            kept.append(segment)
    if path.endswith(("/.", "/..")):
        kept.append("")
    return "/" + _escaped("/".join(kept), "")


def _escaped(text: str, more: str) -> str:
    """Escape what must be, write existing escapes in upper case (RFC 3986 6.2.2.1)."""
    return _ESCAPE.sub(lambda match: match[0].upper(), quote(text, safe=_KEPT + more))


def _host(host: str) -> str:
    host = host.removesuffix(".")
    if ":" in host:
        return _address_v6(host)
    try:  # first, since full-width digits come out as plain ones
        name = host if host.isascii() else idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        raise BadUrl("its host is not a name") from None
    if name and _NUMBER.match(name.rpartition(".")[2]):
        return _address_v4(name)
    if not name or len(name) > 253 or not all(_LABEL.match(label) for label in name.split(".")):
        raise BadUrl("its host is not a name")
    return name


def _address_v4(host: str) -> str:
    try:  # inet_aton takes every spelling that a resolver takes: octal, hexadecimal, fewer than four parts
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        raise BadUrl("its host is not an address") from None


def _address_v6(host: str) -> str:
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        raise BadUrl("its host is not an address") from None
    if address.scope_id is not None:
        raise BadUrl("its host names a network interface")
    return str(address.ipv4_mapped) if address.ipv4_mapped else str(address)

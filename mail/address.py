"""Addresses: one strict grammar, used at every door.

Law: what this module accepts is printable ASCII or UTF-8 (RFC 6531), holds no control character, no
encoded-word (``=?``) and no source route; what it refuses never reaches a queue, a log line or a file name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LOCAL_OCTETS_MAX = 64  # RFC 5321 4.5.3.1.1
DOMAIN_OCTETS_MAX = 255  # RFC 5321 4.5.3.1.2
PATH_OCTETS_MAX = 256  # RFC 5321 4.5.3.1.3

_ENTITY = re.compile(r"[a-z0-9][a-z0-9._-]{0,29}\Z")
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]"
_LOCAL = re.compile(rf'(?:{_ATEXT}+(?:\.{_ATEXT}+)*|"(?:[ !#-\[\]-~\x80-\U0010ffff]|\\[ -~])*")\Z')
_LABEL = r"[A-Za-z0-9\x80-\U0010ffff](?:[A-Za-z0-9\x80-\U0010ffff_-]{0,61}[A-Za-z0-9\x80-\U0010ffff])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[A-Za-z0-9.:-]{{2,60}}\])\Z")

# RFC 2142: mailbox names that belong to the operator of a domain; and our own command address.
ROLE_NAMES = frozenset(
    "abuse admin administrator dns ftp hostmaster info mailer-daemon marketing news noc postmaster root sales "
    "security support usenet uucp webmaster www".split()
)
RESERVED_NAMES = ROLE_NAMES | {"follow"}


# A mirror is the list, in one fabric, of a source in another: ``bob=other.example`` mirrors bob@other.example. The
# longest detail that follows one in an address is a token's, ``+no.`` and 16 characters.
MIRROR_OCTETS_MAX = LOCAL_OCTETS_MAX - 20
_MIRRORED = re.compile(r"([a-z0-9][a-z0-9._-]{0,29})=((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63})\Z")


class BadAddress(ValueError):
    """The text is not an address that this fabric takes; the message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: ``local@domain``, the domain in lower case (RFC 5321 2.3.11)."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def detail(self) -> tuple[str, str]:
        """The local part cut at its first ``+``, in lower case: ``bob+subscribe`` -> ("bob", "subscribe")."""
        name, _, detail = self.local.lower().partition("+")
        return name, detail


def is_entity(name: str) -> bool:
    """Tell whether `name` can be an entity's ID: one that needs no quotes in an address (RFC 5321 4.1.2)."""
    whole = _ENTITY.match(name) and not name.endswith((".", "-request")) and ".." not in name
    return bool(whole) and name not in RESERVED_NAMES


def mirror_name(entity: str, domain: str) -> str:
    """``bob``, ``other.example`` -> ``bob=other.example``; "" where there can be no such mirror."""
    name = f"{entity}={domain}"
    return name if mirrored(name) else ""


def mirrored(name: str) -> tuple[str, str] | None:
    """``bob=other.example`` -> (bob, other.example), which it mirrors; None for what is no mirror's name."""
    match = _MIRRORED.match(name) if len(name) <= MIRROR_OCTETS_MAX else None
    return (match[1], match[2]) if match and is_entity(match[1]) else None


def is_source(name: str) -> bool:
    """Tell whether there can be a list of this name: an entity's, or a mirror."""
    return is_entity(name) or mirrored(name) is not None


def parse_address(text: str) -> Address:
    """Read ``local@domain``; raise BadAddress for anything else. Costs about 2 microseconds."""
    local, at, domain = text.rpartition("@")
    if not at or not _LOCAL.match(local) or not _DOMAIN.match(domain):
        raise BadAddress("not of the form local@domain")
    if "=?" in local:  # an encoded-word would be decoded by some other program into another address
        raise BadAddress("encoded-words do not belong in an address")
    if not text.isascii() and any(0x80 <= ord(c) <= 0xA0 or 0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise BadAddress("control character or half a character")
    if len(local.encode()) > LOCAL_OCTETS_MAX:
        raise BadAddress("local part over 64 octets")
    if len(domain.encode()) > DOMAIN_OCTETS_MAX:
        raise BadAddress("domain over 255 octets")
    return Address(local, domain.lower())


def parse_path(text: str) -> Address | None:
    """Read an SMTP path, ``<local@domain>`` or the null path ``<>`` (None); raise BadAddress otherwise."""
    if not (text.startswith("<") and text.endswith(">")):
        raise BadAddress("a path stands in angle brackets")
    if len(text.encode(errors="surrogatepass")) > PATH_OCTETS_MAX:
        raise BadAddress("path over 256 octets")
    if text == "<>":
        return None
    return parse_address(text[1:-1])

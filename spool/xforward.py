"""XFORWARD (Postfix): who the client was that a server in front talked to.

Law: said by servers that the operator named, and by nobody else; what cannot be read changes nothing but the answer.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote

ATTRIBUTES = ("NAME", "ADDR", "PROTO", "HELO")
UNKNOWN = ("[UNAVAILABLE]", "[TEMPUNAVAIL]")
VALUE_CHARACTERS_MAX = 255

_XTEXT = re.compile(r"\+([0-9A-Fa-f]{2})")


def read_xforward(words: str) -> dict[str, str] | None:
    """Read ``NAME=x ADDR=192.0.2.9 HELO=y``: what is known of it, by attribute; None where it cannot be read."""
    found: dict[str, str] = {}
    for word in words.split():
        name, equals, value = word.partition("=")
        if not equals or name.upper() not in ATTRIBUTES:
            return None
        value = unquote(_XTEXT.sub(r"%\1", value.replace("%", "%25")))
        if value in UNKNOWN:
            continue
        if not value.isprintable() or len(value) > VALUE_CHARACTERS_MAX:
            return None
        found[name.upper()] = value
    if "ADDR" in found:
        try:
            found["ADDR"] = str(ipaddress.ip_address(found["ADDR"].removeprefix("IPV6:").removeprefix("IPv6:")))
        except ValueError:
            return None
    return found

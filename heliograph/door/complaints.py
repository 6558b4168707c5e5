"""A complaint that a provider sends to the operator (RFC 5965), passed on to the list whose post it is about.

Law: pure. Only what carries the token of a subscriber is passed on, and only to the door for what came back, which
judges it; the operator gets it in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from directory.names import FabricNames, Reflector, Role
from mail.address import Address
from reflector.returned import read_returned
from spool.door import RcptTo

DOORS = ("abuse", "postmaster")  # RFC 2142 4, 5
TOKENS_MAX = 5  # of one complaint: it is about one post to one reader, whose header names the token twice or so
MARK = b"feedback-report"

# Its name is looked for backwards from here: whatever could be the beginning of one, of 35 MB, is too much to look at.
_TOKEN = re.compile(rb"\+(?:bounce|leave)\.([a-z2-7]{24})@((?:b[0-9]{1,10}\.)?reflectors\.)")
_SOURCE = re.compile(rb"[a-z0-9][a-z0-9._-]{0,29}\Z")


def complained_of(names: FabricNames, recipients: list[RcptTo], content: bytes) -> list[RcptTo]:
    """Return the return paths that a complaint to the operator names; none for any other mail."""
    if MARK not in content or not any(_is_operators(names, one.address) for one in recipients):
        return []
    if not any(said.kind == "complaint" for said in read_returned(content)):
        return []
    return [RcptTo(path) for path in list(dict.fromkeys(_paths(names, content)))[:TOKENS_MAX]]


def _paths(names: FabricNames, content: bytes) -> Iterator[str]:
    for match in _TOKEN.finditer(content):
        name = _SOURCE.search(content[max(match.start() - 30, 0) : match.start()])
        if name is None:
            continue
        source, token, place = (part.decode() for part in (name[0], *match.groups()))
        address = Address(f"{source}+bounce.{token}", f"{place}{names.domain}")
        if isinstance(names.classify(address), Reflector) and content.startswith(names.domain.encode(), match.end()):
            yield str(address)


def _is_operators(names: FabricNames, address: str) -> bool:
    local, _, domain = address.rpartition("@")
    name = names.classify(Address(local, domain))
    return isinstance(name, Role) and name.name in DOORS

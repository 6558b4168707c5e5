"""What leaves for the outside, as the outside gets it: the fabric's own fields gone, a post made fit for strangers'
providers, all of it signed in the domain's name.

Law: a function of the content, the return path, the keys and the moment; nothing is stored. Only what our own domain
says in From is signed: whatever stands there was checked when it came in, or written by a room.
"""

from __future__ import annotations

from collections.abc import Callable

from directory.names import FabricNames
from directory.snapshot import Directory
from mail.headers import Headers, drop_headers, first_addr_spec, header_line, names_several, split_message
from mail.seal import SealKey, hash_message, seal
from mail.signature import TRUSTED_PREFIX, carries_fabric_fields
from reflector.abroad import for_the_outside, way_out
from spool.queue import Message
from spool.stamp import Departing


class Postmark:
    """Implements `spool.stamp.Stamp`. `web`: where this fabric's hosts answer, like ``https://mail.fabric.test``."""

    def __init__(self, now: Callable[[], Directory], keys: Callable[[], tuple[SealKey, ...]], web: str) -> None:
        self._now = now
        self._keys = keys
        self._web = web

    def __call__(self, content: bytes, about: Message) -> Departing:
        names = self._now().names
        source, post = _post_of(content) if about.signed_by else ("", 0)
        if carries_fabric_fields(content):
            # The signature goes with the fields that it vouches for: who has it could add them again and be believed.
            content = drop_headers(content, ("dkim-signature",), prefix=TRUSTED_PREFIX)
        if source:
            content = for_the_outside(names, source, content, post)
        if not _is_ours(names, content):
            return Departing(content, lambda sender, now: b"")
        block, text = split_message(content)
        hashed = hash_message(block, text)

        def front(sender: str, now: float) -> bytes:
            fields = way_out(names, self._web, sender) if source else []
            lines = [(name, header_line(name, value)) for name, value in fields]
            own = [(name.lower(), line.partition(b":")[2].removesuffix(b"\r\n")) for name, line in lines]
            signatures = seal(hashed, own, names.domain, self._keys(), now)
            return signatures + b"".join(line for _, line in lines)

        return Departing(content, front)


def _post_of(content: bytes) -> tuple[str, int]:
    """The source and number of a post; "" for any other mail."""
    headers = Headers.parse(split_message(content)[0])
    number = headers.get("heliograph-post")
    return headers.get("heliograph-source"), int(number) if number.isascii() and number.isdigit() else 0


def _is_ours(names: FabricNames, content: bytes) -> bool:
    fields = Headers.parse(split_message(content)[0]).all("from")
    if len(fields) != 1 or names_several(fields[0]):
        return False
    domain = first_addr_spec(fields[0]).rpartition("@")[2]
    return domain == names.domain or domain.endswith(f".{names.domain}")

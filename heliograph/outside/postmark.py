"""What leaves for the outside, as the outside gets it: the fabric's own fields gone, a post made fit for strangers'
providers, its owner's footer under it, all of it signed in the domain's name.

Law: a function of the content, the mailbox, the return path, the keys and the moment; nothing is stored. Only what our
own domain says in From is signed: whatever stands there was checked when it came in, or written by a room. What goes
wrong with a footer leaves the post without one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from directory.names import FabricNames
from directory.snapshot import Directory
from mail.footer import WAY_OUT, footer_of, shown
from mail.footing import foot
from mail.headers import Headers, drop_headers, first_addr_spec, header_line, names_several, split_message
from mail.seal import SealKey, hash_message, seal
from mail.signature import TRUSTED_PREFIX, carries_fabric_fields
from reflector.abroad import for_the_outside, link_out, way_out
from reflector.fabric_wishes import mirrors_us
from spool.queue import Message
from spool.stamp import Back, Departing, nothing_behind

log = logging.getLogger("heliograph.outside.postmark")

PERSON, MIRROR = "", "mirror"  # a mirror passes posts on to its own fabric's timelines: it gets what ours get


class Postmark:
    """Implements `spool.stamp.Stamp`. `web`: where this fabric's hosts answer, like ``https://mail.fabric.test``."""

    def __init__(self, now: Callable[[], Directory], keys: Callable[[], tuple[SealKey, ...]], web: str) -> None:
        self._now = now
        self._keys = keys
        self._web = web

    def sort(self, mailbox: str) -> str:
        return MIRROR if mirrors_us(self._now().names.domain, mailbox) else PERSON

    def __call__(self, content: bytes, about: Message, sort: str) -> Departing:
        names = self._now().names
        headers = Headers.of(content)
        source, post = _post_of(headers) if about.signed_by else ("", 0)
        words = footer_of(headers) if source and sort == PERSON else ""
        if carries_fabric_fields(content):
            # The signature goes with the fields that it vouches for: who has it could add them again and be believed.
            content = drop_headers(content, ("dkim-signature",), prefix=TRUSTED_PREFIX)
        if source:
            content = for_the_outside(names, source, content, post)
        content, back = self._footed(names, source, content, shown(words)) if words else (content, nothing_behind)
        return self._sealed(names, source, content, back)

    def _footed(self, names: FabricNames, source: str, content: bytes, words: str) -> tuple[bytes, Back]:
        """What all copies share, and how they go on: all alike, unless each names its own way out. A footer is not
        worth a post: whatever a malformed one does to us, it leaves, and the log says so."""
        try:
            footed = foot(*split_message(content), words)
        except Exception:
            log.exception("a post leaves without its footer")
            footed = None
        if footed is None:
            return content, nothing_behind
        shared, end = footed.block + footed.text, footed.end
        if WAY_OUT not in words:
            alike = end(words)
            return shared, lambda sender: alike
        return shared, lambda sender: end(words.replace(WAY_OUT, link_out(names, self._web, sender, source)))

    def _sealed(self, names: FabricNames, source: str, content: bytes, back: Back = nothing_behind) -> Departing:
        block, text = split_message(content)
        if not _is_ours(names, block):
            return Departing(content, back=back)
        hashed = hash_message(block, text, goes_on=back is not nothing_behind)

        def front(sender: str, now: float) -> bytes:
            fields = way_out(names, self._web, sender) if source else []
            lines = [(name, header_line(name, value)) for name, value in fields]
            own = [(name.lower(), line.partition(b":")[2].removesuffix(b"\r\n")) for name, line in lines]
            signatures = seal(hashed, own, names.domain, self._keys(), now, back(sender))
            return signatures + b"".join(line for _, line in lines)

        return Departing(content, front, back)


def _post_of(headers: Headers) -> tuple[str, int]:
    """The source and number of a post; "" for any other mail."""
    number = headers.get("heliograph-post")
    return headers.get("heliograph-source"), int(number) if number.isascii() and number.isdigit() else 0


def _is_ours(names: FabricNames, block: bytes) -> bool:
    fields = Headers.parse(block).all("from")
    if len(fields) != 1 or names_several(fields[0]):
        return False
    domain = first_addr_spec(fields[0]).rpartition("@")[2]
    return domain == names.domain or domain.endswith(f".{names.domain}")

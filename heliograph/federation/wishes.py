"""What our users write to follow somebody in another fabric.

Law: pure. A mail is such a wish only if its address or Subject says so by itself, in the words that our own lists
take; everything else is an ordinary letter and leaves as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from directory.names import Reflector
from mail.address import Address, is_entity, mirror_name, mirrored
from mail.envelope import Arrival
from mail.headers import first_addr_spec
from reflector.command_words import first_line, read_line, subject_of

WORDS = ("subscribe", "unsubscribe")

_AT_REFLECTORS = re.compile(r"(?:b[0-9]{1,10}\.)?reflectors\.(.+)\Z")


@dataclass(frozen=True, slots=True)
class Wish:
    """`word`: subscribe or unsubscribe. `mirror`: the list that serves it here, if `domain` is a fabric. `explicit`:
    its address says so; only fabrics have such ones."""

    word: str
    mirror: str
    domain: str
    explicit: bool


class Said:
    """What a letter says in From, Subject and first line, read once for all its recipients."""

    def __init__(self, content: bytes) -> None:
        self._letter = Arrival("", content, 0)

    @cached_property
    def sender(self) -> str:
        return first_addr_spec(self._letter.headers.get("from"))

    @cached_property
    def subject(self) -> str:
        return _command(subject_of(self._letter))

    @cached_property
    def line(self) -> str:
        return self.subject or _command(first_line(self._letter))


def read_wish(address: Address, said: Said) -> Wish | None:
    """Read a foreign address, with what the letter to it says, as a wish; None where it is none."""
    entity, detail = address.detail
    at_reflectors = _AT_REFLECTORS.match(address.domain)
    if entity.endswith("-request") and not detail:
        entity, detail = entity.removesuffix("-request"), "request"
    word = _word(detail, said, bool(at_reflectors))
    domain = at_reflectors[1] if at_reflectors else address.domain
    mirror = mirror_name(entity, domain)
    explicit = at_reflectors is not None and detail in WORDS
    return Wish(word, mirror, domain, explicit) if word in WORDS and is_entity(entity) and mirror else None


def own_wish(name: Reflector, said: Said) -> Wish | None:
    """The same of a mirror's address here, to begin with it."""
    source = mirrored(name.entity)
    wishes = source and _word(name.detail, said, True) == "subscribe"
    return Wish("subscribe", name.entity, source[1], True) if source and wishes else None


def _word(detail: str, said: Said, at_reflectors: bool) -> str:
    if detail in WORDS:
        return detail if at_reflectors else ""
    if detail == "request" and at_reflectors:
        return said.line
    return said.subject if not detail else ""


def _command(line: str) -> str:
    command = read_line(line)
    return command.word if command else ""

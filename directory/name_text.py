"""Domain names as a master file has them (RFC 1035 5.1): relative, absolute, ``@``, with escapes.

Law: the plain name is fast, since a zone has a hundred thousand; every other one is read octet by octet.
"""

from __future__ import annotations

from directory import wire
from directory.tokens import BadText, labels_of

SUFFIXES_MAX = 1_000  # a fabric has a handful; a zone of endless deep names should not fill the memory twice


class NameReader:
    """Reads names under one origin."""

    def __init__(self, origin: bytes) -> None:
        self.origin = origin
        self._suffixes: dict[str, bytes] = {}  # of names under this origin: "timeline" -> wire

    def read(self, token: str) -> bytes:
        """Return the absolute wire name of a token: relative to the origin unless it ends in a dot."""
        if token == "@":
            return self.origin
        label, dot, rest = token.partition(".")
        plain = "\\" not in token and token[0] != '"' and token.isprintable()
        if not plain or not 0 < len(label) <= wire.LABEL_OCTETS_MAX or rest == ".":
            return self._name_closely(token)
        suffix = self._suffix(rest) if rest else b"\0" if dot else self.origin
        name = bytes((len(label),)) + label.encode() + suffix
        if len(name) > wire.NAME_OCTETS_MAX:
            raise BadText(f"{token[:60]!a}... is over 255 octets", "Write a shorter name.")
        return name

    def _suffix(self, token: str) -> bytes:
        """Return what stands after a name's first label: a bucket's "timeline" is looked up, not read again."""
        suffix = self._suffixes.get(token)
        if suffix is None:
            suffix = self._name_closely(token)
            if len(self._suffixes) < SUFFIXES_MAX:
                self._suffixes[token] = suffix
        return suffix

    def _name_closely(self, token: str) -> bytes:
        if token.startswith('"'):
            raise BadText("a quoted string where a name belongs", "Take the quotes away.")
        if token == ".":
            return b"\0"
        labels = labels_of(token)
        end = self.origin
        if len(labels) > 1 and not labels[-1]:
            end = b"\0"
            del labels[-1]
        name = b"".join(bytes((len(label) & 0xFF,)) + label for label in labels) + end
        if not all(0 < len(label) <= wire.LABEL_OCTETS_MAX for label in labels) or len(name) > wire.NAME_OCTETS_MAX:
            raise BadText(f"{token[:80]!a} is no domain name", "1 to 63 octets between dots, 255 in all.")
        if any(octet < 0x20 or octet == 0x7F for octet in token.encode()):
            raise BadText(f"{token[:80]!a} holds a control character", "Take it out, or write it as \\DDD.")
        return name

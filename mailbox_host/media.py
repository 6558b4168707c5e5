"""Content-Type and its like: a value with parameters (RFC 2045 5.1, RFC 2231).

Law: reading never raises, and costs time in proportion to the field's length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PARAMETERS_MAX = 100  # of one field; a file name in RFC 2231 segments takes a handful
FIELD_OCTETS_MAX = 16_384  # a longer Content-Type says nothing more

Parameters = tuple[tuple[bytes, bytes], ...]

_TOKEN = rb"[^\x00-\x20()<>@,;:\\\"/\[\]?=\x7f]+"
_TYPE = re.compile(rb"\s*(%b)\s*/\s*(%b)" % (_TOKEN, _TOKEN))
_WORD = re.compile(rb"\s*(%b)" % _TOKEN)
_PARAMETER = re.compile(
    rb"\s*;\s*(?:([^\x00-\x20()<>@,;:\\\"/\[\]?=\x7f]+)\s*=\s*"
    rb"(?:\"((?:[^\"\\]|\\.)*+)\"?|([^;\"\s]*+)))?[^;\"]*+(?:\"(?:[^\"\\]|\\.)*+\"?[^;\"]*+)*+",
    re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_COMMENT_MARK = re.compile(rb"\\.|[\"()]", re.DOTALL)
_SEGMENT = re.compile(rb"([^*]+)\*(0|[1-9][0-9]{0,2})(\*?)\Z")
_PLAIN_IN_EXTENDED = re.compile(rb"[^A-Za-z0-9!#$&+.^_`{|}~-]")


@dataclass(frozen=True, slots=True)
class Media:
    """A type as it was written: ``text``, ``plain``, its parameters in order."""

    type: bytes
    subtype: bytes
    parameters: Parameters = ()

    def parameter(self, name: bytes) -> bytes:
        """Return a parameter's value, or b""."""
        return next((value for key, value in self.parameters if key.lower() == name), b"")


PLAIN_TEXT = Media(b"text", b"plain")  # RFC 2045 5.2
DIGEST_CHILD = Media(b"message", b"rfc822")


def read_media(value: bytes, default: Media) -> Media:
    """Read a Content-Type; `default` for what is none (RFC 2045 5.2)."""
    value = without_comments(value[:FIELD_OCTETS_MAX])
    match = _TYPE.match(value)
    return Media(match[1], match[2], read_parameters(value, match.end())) if match else default


def read_disposition(value: bytes) -> tuple[bytes, Parameters] | None:
    """Read a Content-Disposition (RFC 2183)."""
    value = without_comments(value[:FIELD_OCTETS_MAX])
    match = _WORD.match(value)
    return (match[1], read_parameters(value, match.end())) if match else None


def read_parameters(value: bytes, at: int) -> Parameters:
    """Read ``; name=value`` from `at` on; what is none is passed over."""
    found: list[tuple[bytes, bytes]] = []
    start = value.find(b";", at)
    while start >= 0 and len(found) < PARAMETERS_MAX:
        match = _PARAMETER.match(value, start)
        if match is None:
            break
        if match[1]:
            quoted, bare = match[2], match[3]
            found.append((match[1], bare if quoted is None else _ESCAPE.sub(rb"\1", quoted)))
        start = value.find(b";", match.end())
    return tuple(_joined(found)) if any(b"*" in name for name, _ in found) else tuple(found)


def _joined(found: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Put continued values together (RFC 2231 3): name*0, name*1* ... become one, at the place of the first."""
    segments: dict[bytes, dict[int, tuple[bytes, bool]]] = {}
    for name, value in found:
        if match := _SEGMENT.match(name):
            segments.setdefault(match[1].lower(), {}).setdefault(int(match[2]), (value, bool(match[3])))
    joined: list[tuple[bytes, bytes]] = []
    done: set[bytes] = set()
    for name, value in found:
        match = _SEGMENT.match(name)
        key = match[1].lower() if match else b""
        if match is None or 0 not in segments[key]:  # without its beginning a segment stays what it is
            joined.append((name, value))
        elif key not in done:
            done.add(key)
            joined.append(_whole(match[1], segments[key]))
    return joined


def _whole(name: bytes, segments: dict[int, tuple[bytes, bool]]) -> tuple[bytes, bytes]:
    count = next(n for n in range(len(segments) + 1) if n not in segments)
    parts = [segments[n] for n in range(count)]
    if not any(extended for _, extended in parts):
        return name, b"".join(value for value, _ in parts)
    # One value cannot be half encoded: plain segments are encoded where they must be (RFC 2231 4.1).
    return name + b"*", b"".join(value if extended else _encoded(value) for value, extended in parts)


def _encoded(value: bytes) -> bytes:
    return _PLAIN_IN_EXTENDED.sub(lambda match: b"%%%02X" % match[0][0], value)


def without_comments(value: bytes) -> bytes:
    """Take comments out, nested ones too (RFC 5322 3.2.2); what stands in quotes is none."""
    if b"(" not in value:
        return value
    kept: list[bytes] = []
    depth = start = 0
    quoted = False
    for mark in _COMMENT_MARK.finditer(value):
        sign = mark[0]
        if sign == b'"' and not depth:
            quoted = not quoted
        elif sign == b"(" and not quoted:
            if not depth:
                kept += [value[start : mark.start()], b" "]
            depth += 1
        elif sign == b")" and depth:
            depth -= 1
            start = mark.end()
    return b"".join(kept) + (value[start:] if not depth else b"")

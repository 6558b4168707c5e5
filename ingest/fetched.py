"""What a web server said, as a value.

Law: no answer of a server raises; what it says of time is capped, so that no site can have itself forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

WEEK = 7 * 86_400.0
VALIDATOR_OCTETS_MAX = 512  # longer is no validator but a payload

_MAX_AGE = re.compile(r"(?:^|[ ,])max-age=\"?([0-9]{1,9})")
_GONE_FOR_NOW = frozenset({408, 421, 425, 429})  # and every 5xx


@dataclass(frozen=True, slots=True)
class Validators:
    """ETag and Last-Modified exactly as they came (RFC 9110 8.8); empty where there was none."""

    etag: bytes = b""
    modified: bytes = b""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document. `url` is where it was found in the end, `lasting` how far only permanent redirects led."""

    url: str
    lasting: str
    content: bytes
    content_type: str
    validators: Validators
    max_age: float = 0.0


@dataclass(frozen=True, slots=True)
class Unchanged:
    """304: what we have is what there is."""

    validators: Validators
    max_age: float = 0.0


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing to read. `reason` is for people; `temporary` tells whether another try may help."""

    reason: str
    temporary: bool = True
    retry_after: float = 0.0


Answer = Fetched | Unchanged | Failed


def refusal(status: int, retry_after: str, now: float) -> Failed:
    """Read a status that brings no document."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "an unknown status"
    temporary = status >= 500 or status in _GONE_FOR_NOW
    return Failed(f"the site answered {status} {phrase}", temporary, wait_seconds(retry_after, now))


def wait_seconds(retry_after: str, now: float) -> float:
    """Read Retry-After: seconds or a date (RFC 9110 10.2.3)."""
    text = retry_after.strip()[:64]
    if text.isascii() and text.isdigit():
        return min(float(text), WEEK)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(0.0, at.replace(tzinfo=at.tzinfo or UTC).timestamp() - now), WEEK)


def max_age(cache_control: str) -> float:
    """Read for how long the answer is fresh (RFC 9111 5.2.2.1)."""
    found = _MAX_AGE.search(cache_control[:1000].lower())
    return min(float(found[1]), WEEK) if found else 0.0


def validators(raw: Iterable[tuple[bytes, bytes]]) -> Validators:
    """Keep both validators as opaque octets; one that could not be sent back is none."""
    found = {name.lower(): value for name, value in reversed(list(raw))}
    return Validators(_opaque(found.get(b"etag", b"")), _opaque(found.get(b"last-modified", b"")))


def _opaque(value: bytes) -> bytes:
    try:
        fine = len(value) <= VALIDATOR_OCTETS_MAX and value.decode().isprintable()
    except UnicodeDecodeError:
        return b""
    return value if fine else b""

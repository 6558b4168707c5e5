"""What a web server said, as a value.

Law: no answer of a server raises; what it says of time is capped, so that no site can have itself forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

WEEK = 7 * 86_400.0
VALIDATOR_OCTETS_MAX = 512  # longer is no validator but a payload

_MAX_AGE = re.compile(r"(?:^|[ ,])max-age=\"?([0-9]{1,9})")
_NEVER_FRESH = re.compile(r"(?:^|[ ,])no-(?:store|cache)\b")
_GONE_FOR_NOW = frozenset({408, 421, 425, 429})  # and every 5xx


@dataclass(frozen=True, slots=True)
class Validators:
    """ETag and Last-Modified exactly as they came (RFC 9110 8.8); empty where there was none.

    `url`: what they were said of, if that is not the address that is asked: they mean nothing anywhere else.
    """

    etag: bytes = b""
    modified: bytes = b""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document. `url` is where it was found in the end, `lasting` how far only permanent redirects led.

    `max_age`: for so many seconds it stays fresh. `links`: the hub and the address of its own that the server names.
    """

    url: str
    lasting: str
    content: bytes
    content_type: str
    validators: Validators
    max_age: float = 0.0
    links: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Unchanged:
    """304: what we have is what there is."""

    validators: Validators
    max_age: float = 0.0
    lasting: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing to read. `reason` is for people; `temporary` tells whether another try may help.

    `gone`: the site says that it is for good. `busy`: it asks for rest, and means all its feeds.
    """

    reason: str
    temporary: bool = True
    retry_after: float = 0.0
    gone: bool = False
    busy: bool = False


Answer = Fetched | Unchanged | Failed


def refusal(status: int, retry_after: str, now: float) -> Failed:
    """Read a status that brings no document."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "an unknown status"
    temporary = status >= 500 or status in _GONE_FOR_NOW
    wait = wait_seconds(retry_after, now)
    return Failed(
        f"the site answered {status} {phrase}",
        temporary,
        wait,
        gone=status == HTTPStatus.GONE,
        busy=status == HTTPStatus.TOO_MANY_REQUESTS or (wait > 0 and status in (403, 503)),
    )


def wait_seconds(retry_after: str, now: float) -> float:
    """Read Retry-After: seconds or a date (RFC 9110 10.2.3)."""
    text = retry_after.strip()[:64]
    if text.isascii() and text.isdigit():
        return min(float(text), WEEK)
    at = _date(text)
    return min(max(0.0, at - now), WEEK) if at else 0.0


def fresh_seconds(headers: Mapping[str, str], now: float) -> float:
    """Read for how long the answer stays fresh (RFC 9111 4.2): max-age wins over Expires, Age is taken off."""
    said = headers.get("Cache-Control", "")[:1000].lower()
    if _NEVER_FRESH.search(said):
        return 0.0
    if found := _MAX_AGE.search(said):
        return min(max(0.0, float(found[1]) - wait_seconds(headers.get("Age", ""), now)), WEEK)
    expires = _date(headers.get("Expires", ""))
    begins = _date(headers.get("Date", "")) or now  # by the site's clock, where it tells the time
    return min(max(0.0, expires - begins), WEEK) if expires else 0.0


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


def _date(text: str) -> float | None:
    try:
        at = parsedate_to_datetime(text[:64])
        return at.replace(tzinfo=at.tzinfo or UTC).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None

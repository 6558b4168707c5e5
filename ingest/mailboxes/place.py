"""Where a folder is: ``imaps://alice%40example.org@mail.example.org/Lists/news``.

Law: an address carries no password, since addresses are shown. TLS from the first octet, or nothing (RFC 8314 3.3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from ingest.urls import BadUrl, canonical
from mail import utf7

PORT = 993
USER_OCTETS_MAX = 250
FOLDER_OCTETS_MAX = 250
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class BadPlace(ValueError):
    """Not the address of a folder; the message says why, for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class Place:
    """`host`: a name in ASCII, or an address without brackets; `folder`: as people read it, its levels as the server
    separates them."""

    host: str
    port: int
    user: str
    folder: str

    @property
    def text(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORT else f":{self.port}"
        return f"imaps://{quote(self.user, safe='')}@{host}{port}/{quote(self.folder, safe='/.-_~')}"


def place_of(text: str) -> Place:
    """Read an address (RFC 5092); raise BadPlace."""
    if _CONTROL.search(text):
        raise BadPlace("it contains a control character")
    try:
        parts = urlsplit(text)
    except ValueError:
        raise BadPlace("it is not well formed") from None
    if parts.scheme.lower() != "imaps":
        raise BadPlace("it begins with imaps:// : a password goes to nobody without TLS")
    login, _, host = parts.netloc.rpartition("@")
    user, colon, _ = login.partition(":")
    if colon:
        raise BadPlace("it holds a password: leave it out, you are asked for it")
    try:
        found = canonical(f"https://{host}/")  # the same rules for names and numbers as for every other address
        port = urlsplit(f"//{host}").port or PORT
    except (BadUrl, ValueError) as error:
        raise BadPlace(str(error) if isinstance(error, BadUrl) else "its port is no number") from None
    if parts.query or parts.fragment:
        raise BadPlace("it names a folder and nothing behind it: write ? and # as %3F and %23")
    name, folder = unquote(user), unquote(parts.path.removeprefix("/")) or "INBOX"
    _check("user name", name, USER_OCTETS_MAX)
    _check("folder", folder, FOLDER_OCTETS_MAX)
    return Place(found.host, port, name, "INBOX" if folder.upper() == "INBOX" else folder)


def _check(what: str, text: str, octets_max: int) -> None:
    if not text:
        raise BadPlace(f"it has no {what}: write imaps://user@host/folder")
    if _CONTROL.search(text) or "\ufffd" in text or len(text.encode("utf-8", "replace")) > octets_max:
        raise BadPlace(f"its {what} is too long, or holds a control character")


def written(folder: str) -> bytes:
    """A folder's name as IMAP4rev1 writes it: modified UTF-7 (RFC 3501 5.1.3), quoted."""
    return quoted(utf7.encode(folder).decode("ascii"))


def quoted(text: str) -> bytes:
    """A quoted string (RFC 3501 4.3); the text holds no control character."""
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'

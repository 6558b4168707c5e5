"""A post as it leaves for a follower's mailbox outside: what every such copy has in common, and what is its own.

Law: pure. From names the list, whose domain signs it, so that a provider's DMARC check passes (RFC 9989); answers go to
the author. The way out of the list is a copy's own: the token of its return path, which whoever reads the copy holds
anyway, as mail and as one click (RFC 8058).
"""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.utils import formataddr, parseaddr

from directory.names import FabricNames, Reflector
from mail.address import Address
from mail.between_fabrics import FIELD, POST, Word
from mail.headers import Headers, add_headers, drop_headers, first_addr_spec
from reflector.sources import clean_title
from reflector.tokens import is_token

LEAVE = "leave"  # the door to which a way out leads: "unsubscribe" and a token would not fit into 64 octets
ONE_CLICK = "List-Unsubscribe=One-Click"
PHRASE_CHARACTERS_MAX = 1_000  # of a From that is looked at: the library's parsers are quadratic
REPLACED = ("from", "sender", "list-unsubscribe", "list-unsubscribe-post")

_RETURN_PATH = re.compile(r"([^+@]{1,30})\+bounce\.([a-z2-7]{24})@(?:(b[0-9]{1,10})\.)?reflectors\.")
# Words whose decoding a stranger can make expensive, or that would smuggle an address into the name.
_PLAIN_CHARSETS = re.compile(r"=\?(?:utf-8|iso-8859-\d{1,2}|us-ascii|windows-125\d)\?[bq]\?", re.IGNORECASE)


def for_the_outside(names: FabricNames, source: str, content: bytes, post: int = 0) -> bytes:
    """Return what all copies of a post have in common. Fields of the fabric's own are gone already; a mirror in another
    fabric knows the post by its number."""
    headers = Headers.of(content)
    author = headers.get("from")
    name = clean_title(phrase(author)) or clean_title(phrase(headers.get("list-id"))) or source
    fields = [("From", formataddr((f"{name} via {names.domain}", names.reflector(source))))]
    if post:
        fields.append((FIELD, str(Word(POST, post))))
    address = first_addr_spec(author)
    if address.isascii() and address and not headers.has("reply-to"):
        fields.append(("Reply-To", address))
    return add_headers(drop_headers(content, REPLACED), fields)


def way_out(names: FabricNames, web: str, return_path: str) -> list[tuple[str, str]]:
    """Return the fields of one copy, by its return path; none where that names no subscriber. `web`: where this
    fabric's hosts answer, like ``https://mail.fabric.test``."""
    row = _row_of(names, return_path)
    if row is None:
        return []
    return [
        ("List-Unsubscribe", f"<{_link(web, *row)}>, <mailto:{leave_address(names, *row)}>"),
        ("List-Unsubscribe-Post", ONE_CLICK),
    ]


def link_out(names: FabricNames, web: str, return_path: str, source: str) -> str:
    """Return the same way out as one copy's words can name it: a page with a button, or else the list's own address."""
    row = _row_of(names, return_path)
    return _link(web, *row) if row else f"mailto:{names.reflector(source, 'unsubscribe')}"


def _row_of(names: FabricNames, return_path: str) -> tuple[str, str, str] | None:
    """Whose copy it is: source, bucket of the list that serves the row, token."""
    match = _RETURN_PATH.match(return_path)
    return (match[1], match[3] or f"b{names.bucket(match[1])}", match[2]) if match else None


def _link(web: str, source: str, bucket: str, token: str) -> str:
    return f"{web}/unsubscribe/{source}/{bucket}/{token}"


def leave_address(names: FabricNames, source: str, bucket: str, token: str) -> str:
    """The mailbox that ends one subscription: of the list that serves it, wherever that is."""
    return f"{source}+{LEAVE}.{token}@{bucket}.reflectors.{names.domain}"


def is_way_out(names: FabricNames, source: str, bucket: str, token: str) -> bool:
    """Tell whether a way out can be ours, without asking whether it is known."""
    name = names.classify(Address(f"{source}+{LEAVE}.{token}", f"{bucket}.reflectors.{names.domain}"))
    return is_token(token) and isinstance(name, Reflector)


def phrase(field: str) -> str:
    """The words beside an address; "" where there are none, or none that may stand in a From of ours: an address among
    them would show a reader another sender than who sent it."""
    words = parseaddr(field[:PHRASE_CHARACTERS_MAX])[0]
    encoded = words.count("=?")
    if encoded and len(_PLAIN_CHARSETS.findall(words)) != encoded:
        return ""
    try:
        words = str(make_header(decode_header(words)))
    except (HeaderParseError, LookupError, ValueError):  # UnicodeError is one
        return ""
    return "" if "@" in words else words
